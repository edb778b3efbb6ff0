/** What everybody who hands out jobs must do. An implementation's own test is a call of this with a factory. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Job, Jobs } from '../../src/daemon/jobs/jobs.ts';
import { settled } from '../../src/foundation/promises.ts';
import { PRIORITY } from '../../src/operations/index.ts';

export interface JobsUnderTest {
  /** With no worker yet; so many jobs are under way at once at most. */
  jobs: Jobs;
  /** Lets time pass, in milliseconds, and what waited for it begin. */
  pass(milliseconds: number): Promise<void>;
  nowMs(): number;
  /** Says from now on that the machine is loaded, or is not. */
  load(isLoaded: boolean): Promise<void>;
}

const job = (id: string, more: Partial<Job> = {}): Job => {
  return { id, kind: 'backup', subject: id, priority: PRIORITY.backup, sources: [], attempt: 1, ...more };
};

/** A worker whose jobs end when they are told to. */
class Bench {
  readonly begun: string[] = [];
  readonly seen: Job[] = [];
  readonly aborted: string[] = [];
  readonly #ends = new Map<string, { end: () => void; fail: (error: Error) => void }>();

  readonly worker = (work: Job, signal: AbortSignal): Promise<void> => {
    this.begun.push(work.id);
    this.seen.push(work);
    signal.addEventListener('abort', () => this.aborted.push(work.id));
    return new Promise((end, fail) => this.#ends.set(work.id, { end, fail }));
  };

  async end(id: string, error?: Error): Promise<void> {
    const { end, fail } = this.#ends.get(id)!;
    if (error === undefined) end();
    else fail(error);
    await passed();
  }
}

/** What begins when something ended, has begun. */
async function passed(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await setImmediate();
}

// tidy-allow: a suite is a list of short tests
export function describeJobs(name: string, create: (atOnce: number) => JobsUnderTest | Promise<JobsUnderTest>): void {
  const begun = async (atOnce: number, ...waiting: Job[]) => {
    const under = await create(atOnce);
    const bench = new Bench();
    for (const each of waiting) await under.jobs.enqueue(each);
    await under.jobs.work(bench.worker);
    await passed();
    return { ...under, bench };
  };

  // tidy-allow: a suite is a list of short tests
  describe(`${name} of jobs`, () => {
    it('begins what is urgent first, and what is alike in the order in which it came', async () => {
      const order = [
        job('upkeep', { priority: PRIORITY.upkeep }),
        job('proof', { priority: PRIORITY.proof }),
        job('first'),
        job('second'),
        job('recovery', { priority: PRIORITY.recovery }),
      ];
      const { bench } = await begun(1, ...order);
      for (const id of ['recovery', 'first', 'second', 'proof']) await bench.end(id);
      expect(bench.begun).toEqual(['recovery', 'first', 'second', 'proof', 'upkeep']);
    });

    it('hands over a job as it was given', async () => {
      const given = job('a', { task: 'backup:a', due: '2026-01-01T00:00:00Z', sources: ['db'], attempt: 3 });
      const { bench } = await begun(2, given);
      expect(bench.seen).toEqual([given]);
      expect(JSON.parse(JSON.stringify(bench.seen[0]))).toEqual(given);
    });

    it('takes a job once while it waits or is under way, and again behind that', async () => {
      const { jobs, bench } = await begun(1, job('a'), job('b'));
      expect(await jobs.enqueue(job('a'))).toBe(false);
      expect(await jobs.enqueue(job('b'))).toBe(false);
      await bench.end('a');
      expect(await jobs.enqueue(job('a'))).toBe(true);
      await bench.end('b');
      expect(bench.begun).toEqual(['a', 'b', 'a']);
    });

    it('has no two jobs under way that name the same source, and lets others go past', async () => {
      const { bench } = await begun(
        3,
        job('one', { sources: ['db'] }),
        job('two', { sources: ['db', 'files'] }),
        job('three', { sources: ['files'] }),
        job('four', { sources: ['other'] }),
      );
      // `three` waits behind `two`, which would else never find both free.
      expect(bench.begun).toEqual(['one', 'four']);
      await bench.end('one');
      expect(bench.begun).toEqual(['one', 'four', 'two']);
      await bench.end('two');
      expect(bench.begun.at(-1)).toBe('three');
    });

    it('has no more under way than it may', async () => {
      const { bench } = await begun(2, job('a'), job('b'), job('c'));
      expect(bench.begun).toEqual(['a', 'b']);
      await bench.end('b');
      expect(bench.begun).toEqual(['a', 'b', 'c']);
    });

    it('keeps a job for a moment to come until then', async () => {
      const { jobs, bench, pass, nowMs } = await begun(2);
      await jobs.schedule(job('later'), nowMs() + 60_000);
      await pass(59_000);
      expect(bench.begun).toEqual([]);
      await pass(1000);
      expect(bench.begun).toEqual(['later']);
    });

    it('lets proofs and upkeep wait on a loaded machine, though not for ever, and backups never', async () => {
      const { jobs, bench, pass, load } = await begun(4);
      await load(true);
      await jobs.enqueue(job('upkeep', { priority: PRIORITY.upkeep }));
      await jobs.enqueue(job('backup'));
      expect(bench.begun).toEqual(['backup']);
      await load(false);
      await pass(60_000);
      expect(bench.begun).toEqual(['backup', 'upkeep']);
      await load(true);
      await jobs.enqueue(job('proof', { priority: PRIORITY.proof }));
      await pass(60 * 60_000);
      expect(bench.begun).not.toContain('proof');
      await pass(3 * 60 * 60_000);
      expect(bench.begun).toContain('proof');
    });

    it('goes on when a worker throws', async () => {
      const { bench } = await begun(1, job('bad', { sources: ['db'] }), job('good', { sources: ['db'] }));
      await bench.end('bad', new Error('thrown on purpose'));
      expect(bench.begun).toEqual(['bad', 'good']);
    });

    it('begins nothing more when it stops, says so to what is under way, and waits for its end', async () => {
      const { jobs, bench } = await begun(1, job('a'), job('b'));
      let isOver = false;
      const stopped = jobs.stop().then(() => {
        isOver = true;
      });
      await passed();
      expect({ aborted: bench.aborted, isOver }).toEqual({ aborted: ['a'], isOver: false });
      expect(await jobs.enqueue(job('c'))).toBe(false);
      await bench.end('a');
      await settled(stopped);
      expect(isOver).toBe(true);
      expect(bench.begun).toEqual(['a']);
    });
  });
}
