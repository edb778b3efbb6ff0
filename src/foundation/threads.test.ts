import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os, { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Said, Wanted } from '../../test/support/example-worker.ts';
import { endIdleThreads, runOnThread, startThreadsAhead } from './threads.ts';

const SUPPORT = new URL('../../test/support/threads.ts', import.meta.url).href;

/** Work that has begun: what it said by then, and how it ended. */
function begin(wanted: Wanted) {
  const said: Said[] = [];
  const errors: unknown[] = [];
  const work = runOnThread(SUPPORT, 'example-worker', wanted, {
    onMessage: (message: Said) => said.push(message),
    onError: (error) => errors.push(error),
  });
  return { said, errors, ...work };
}

/** @returns the thread that did it */
async function run(wanted: Wanted): Promise<number> {
  const work = begin(wanted);
  await work.ended;
  return work.said[0]!.thread;
}

afterEach(() => {
  vi.useRealTimers();
  endIdleThreads();
});

describe('a thread', () => {
  it('does one work after the other', async () => {
    const first = await run({ end: 'good' });
    expect([await run({ end: 'good' }), await run({ end: 'good' })]).toEqual([first, first]);
  });

  it('does one work at a time', async () => {
    const [one, other] = [begin({ end: 'asked' }), begin({ end: 'asked' })];
    for (const { post } of [one, other]) post('end');
    await Promise.all([one.ended, other.ended]);
    expect(one.said[0]!.thread).not.toBe(other.said[0]!.thread);
  });

  it('has said everything when its work is over', async () => {
    for (const end of ['good', 'spent', 'throws', 'exits'] as const) {
      const { said, ended } = begin({ messages: 1000, end });
      await ended;
      expect(said.map(({ number }) => number)).toEqual(Array.from({ length: 1000 }, (_, number) => number));
    }
  });

  it('does nothing more after work that failed', async () => {
    const first = await run({ end: 'good' });
    expect(await run({ end: 'spent' })).toBe(first);
    const others = [await run({ end: 'throws' }), await run({ end: 'exits' }), await run({ end: 'good' })];
    expect(new Set([first, ...others]).size).toBe(4);
  });

  it('says so when it ends before its work does', async () => {
    const thrown = begin({ end: 'throws' });
    await thrown.ended;
    expect(thrown.errors).toEqual([expect.objectContaining({ message: 'the work threw' })]);
    const ended = begin({ end: 'exits' });
    await ended.ended;
    expect(ended.errors).toEqual([expect.objectContaining({ code: 'internal' })]);
    const good = begin({ end: 'good' });
    await good.ended;
    expect(good.errors).toEqual([]);
  });

  it('ends when it had nothing to do for a while, or is told to', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const first = await run({ end: 'good' });
    vi.advanceTimersByTime(1000);
    expect(await run({ end: 'good' })).toBe(first);
    vi.advanceTimersByTime(1500);
    expect(await run({ end: 'good' })).toBe(first);
    vi.advanceTimersByTime(2000);
    const second = await run({ end: 'good' });
    expect(second).not.toBe(first);
    endIdleThreads();
    expect([first, second]).not.toContain(await run({ end: 'good' }));
  });

  it('does no work that has another priority than it was started with', async () => {
    const first = await run({ end: 'good' });
    const priority = vi.spyOn(os, 'getPriority').mockReturnValue(os.getPriority() + 1);
    syncBuiltinESMExports();
    const lower = await run({ end: 'good' });
    priority.mockRestore();
    syncBuiltinESMExports();
    expect(lower).not.toBe(first);
    expect(await run({ end: 'good' })).toBe(first);
  });

  it.runIf(process.platform === 'linux')('goes behind the main thread where the process lets others go first', () => {
    const code = `
      const { getPriority, setPriority } = await import('node:os');
      const { runOnThread } = await import(${JSON.stringify(new URL('./threads.ts', import.meta.url).href)});
      const niceness = () => new Promise((resolve) => {
        const onMessage = (said) => resolve(said.niceness - getPriority());
        runOnThread(${JSON.stringify(SUPPORT)}, 'example-worker', { end: 'good' }, { onMessage });
      });
      const before = getPriority() > 0 ? 0 : await niceness();
      setPriority(10);
      console.log(before, await niceness());`;
    const script = join(mkdtempSync(join(tmpdir(), 'threads-')), 'script.mjs');
    writeFileSync(script, code);
    const { stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 30_000 });
    expect([stdout, stderr]).toEqual(['0 5\n', '']);
  });

  it('that was started ahead does what comes first, and as many are there as were asked for', async () => {
    // However long they take to start, none of them has nothing to do for too long.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const ahead: number[] = [];
    const both = Promise.withResolvers<void>();
    const onWorker = ({ threadId }: Worker): void => {
      if (ahead.push(threadId) === 2) both.resolve();
    };
    process.on('worker', onWorker);
    startThreadsAhead(SUPPORT, 'example-worker', 2);
    startThreadsAhead(SUPPORT, 'example-worker', 1);
    await both.promise;
    const works = [begin({ end: 'asked' }), begin({ end: 'asked' })];
    for (const { post } of works) post('end');
    await Promise.all(works.map(({ ended }) => ended));
    process.off('worker', onWorker);
    expect(works.map(({ said }) => said[0]!.thread).toSorted()).toEqual(ahead.toSorted());
  });

  it('is started ahead no more once there is work for the one before it', async () => {
    const started = vi.fn();
    process.on('worker', started);
    startThreadsAhead(SUPPORT, 'example-worker', 2);
    await run({ end: 'good' });
    process.off('worker', started);
    expect(started).toHaveBeenCalledTimes(1);
  });

  it('that cannot load what is foreseen does other work no worse', async () => {
    startThreadsAhead(SUPPORT, 'no-such-worker', 1);
    const { said, errors, ended } = begin({ end: 'good' });
    await ended;
    expect([said.length, errors.length]).toEqual([1, 0]);
  });

  it('keeps no process from its end while it waits', () => {
    const code = `
      const { runOnThread } = await import(${JSON.stringify(new URL('./threads.ts', import.meta.url).href)});
      const { ended } = runOnThread(${JSON.stringify(SUPPORT)}, 'example-worker', { end: 'good' }, { onMessage() {} });
      const { setTimeout } = globalThis;
      globalThis.setTimeout = (end) => setTimeout(end, 3_600_000);
      await ended;`;
    const script = join(mkdtempSync(join(tmpdir(), 'threads-')), 'script.mjs');
    writeFileSync(script, code);
    // Here it would wait for an hour.
    const { status, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 30_000 });
    expect([status, stderr]).toEqual([0, '']);
  });
});
