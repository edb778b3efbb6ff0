import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { testDirectory, testRepository } from '../../../test/support/repository.ts';
import { systemClock } from '../../foundation/clock.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { noProgress } from '../../foundation/progress.ts';
import type { RecoveryEnd, Sandbox, SandboxTarget } from '../../sandbox/index.ts';
import type { Manifest } from '../../source/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { StoredLog } from '../log/stored-log.ts';
import type { Adapters, OpenedRepository, Workspace } from '../workspace.ts';
import { LogReplay, prepareRecovery } from './recover.ts';
import type { RecoveryPoint } from './recovery-point.ts';
import type { RecoveryTarget } from './recovery-target.ts';

const SEGMENT_BYTES = 16 * 1024 * 1024;
const TIME: RecoveryTarget = { kind: 'time', timeMs: Date.UTC(2026, 0, 31), microseconds: 0 };

/** What a recovery to a target needs. The log reaches 0/9000100. */
async function prepare(target: RecoveryTarget, adapters: Partial<Adapters> = {}) {
  const repository = await testRepository(new MemoryStore());
  const signal = new AbortController().signal;
  const environment = { clock: systemClock, signal, adapters } as Workspace['environment'];
  const workspace = { plan: { name: 'shop' }, environment } as Workspace;
  const log = await StoredLog.read(repository, { plan: 'shop', source: 'db' }, async () => []);
  const reach = { timeline: 1, lsn: 0x9000100n };
  const about = { system: '7', reach, baseEnd: reach, segmentBytes: SEGMENT_BYTES, base: { id: 'a'.repeat(64) } };
  const planned = { name: 'db', type: 'postgres' } as ConstructorParameters<typeof LogReplay>[2]['planned'];
  const asked = { planned, point: { ...about, target, log } as unknown as RecoveryPoint };
  return { workspace, repository, log, asked };
}

/** Replays to a target on a server that answers so, one attempt after the other. */
async function replay(target: RecoveryTarget, answers: (RecoveryEnd | Error)[]) {
  const { workspace, repository, asked } = await prepare(target);
  const replaying = new LogReplay(workspace, { repository }, asked, noProgress);
  const serve: NonNullable<SandboxTarget['serve']> = async () => {
    const answer = answers.shift();
    if (answer === undefined || answer instanceof Error) throw answer;
    return { target: { kind: 'database', url: '', label: '', sandbox: true }, recovery: answer };
  };
  return replaying.run({ serve } as SandboxTarget);
}

const endedBefore = () =>
  new HoldfastError('target-failed', 'FATAL: recovery ended before configured recovery target was reached');

describe('a replay of a log', () => {
  it('is one when the server came to the last segments', async () => {
    await expect(replay({ kind: 'latest' }, [{ redoneLsn: '0/90000D8' }])).resolves.toMatchObject({
      reached: 'came to the end of the log',
    });
    // The last segment has only begun.
    await expect(replay({ kind: 'latest' }, [{ redoneLsn: '0/8FFFF00' }])).resolves.toBeDefined();
    await expect(replay(TIME, [endedBefore(), { redoneLsn: '0/90000D8' }])).resolves.toMatchObject({
      reached: expect.stringContaining('nothing was committed'),
    });
  });

  it.each<[string, RecoveryTarget, (RecoveryEnd | Error)[]]>([
    ['the end of the log', { kind: 'latest' }, [{ redoneLsn: '0/7FFFFF8' }]],
    ['the end of the log, of which it says nothing', { kind: 'latest' }, [{}]],
    ['a time behind the last commit', TIME, [endedBefore(), { redoneLsn: '0/3000028' }]],
  ])('fails when the server ended before it came to %s', async (_, target, answers) => {
    await expect(replay(target, answers)).rejects.toMatchObject({ code: 'target-failed' });
  });

  it('needs no more when the server says at what it stopped', async () => {
    const end = { stopped: 'stopping before commit of transaction 7', redoneLsn: '0/3000028' };
    await expect(replay(TIME, [end])).resolves.toMatchObject({ reached: end.stopped });
  });
});

describe('what a recovery holds', () => {
  async function prepared(open: Sandbox['open']) {
    const { workspace, repository, log, asked } = await prepare(
      { kind: 'latest' },
      { createSandbox: async () => ({ open }) },
    );
    const closed = vi.spyOn(log, 'close');
    const path = join(testDirectory(), 'restored');
    const about = { ...asked, manifest: { details: { format: 'pg-data-directory' } } as unknown as Manifest, path };
    const recovery = () => prepareRecovery(workspace, { repository } as OpenedRepository, about, noProgress);
    return { recovery, closed, path };
  }

  it('is given back when what comes before it, or it itself, fails', async () => {
    const close = vi.fn(async () => {});
    const place = { close, serve: () => Promise.reject(new Error('the server fails')) } as unknown as SandboxTarget;
    const { recovery, closed } = await prepared(async () => place);
    const restoring = async (work: (held: Awaited<ReturnType<typeof recovery>>) => Promise<unknown>): Promise<void> => {
      await using held = await recovery();
      await work(held);
    };
    await expect(restoring(() => Promise.reject(new Error('the disk is full')))).rejects.toThrow('the disk is full');
    expect([close, closed].map(({ mock }) => mock.calls.length)).toEqual([1, 1]);
    await expect(restoring((held) => held.run())).rejects.toThrow('the server fails');
    expect([close, closed].map(({ mock }) => mock.calls.length)).toEqual([2, 2]);
  });

  it('is given back when there is no place for it', async () => {
    const full = new HoldfastError('disk-full', 'no room for a sandbox');
    const { recovery, closed } = await prepared(() => Promise.reject(full));
    await expect(recovery()).rejects.toBe(full);
    expect(closed).toHaveBeenCalledTimes(1);

    const absent = await prepared(() => Promise.reject(new HoldfastError('not-provable', 'no server here')));
    mkdirSync(`${absent.path}.wal`);
    writeFileSync(join(`${absent.path}.wal`, 'precious'), '');
    await expect(absent.recovery()).rejects.toMatchObject({ code: 'target-not-empty' });
    expect(absent.closed).toHaveBeenCalledTimes(1);
  });
});
