import { expect, it } from 'vitest';
import { describeJobs } from '../../../test/support/jobs-conformance.ts';
import { MovedClock } from '../../../test/support/moved-clock.ts';
import { JobQueue } from './job-queue.ts';

function queueOf(atOnce: number, failed: string[] = []) {
  const clock = new MovedClock('2026-03-02T12:00:00Z');
  let isLoaded = false;
  const options = { clock, atOnce, isLoaded: () => isLoaded };
  const jobs = new JobQueue({ ...options, failed: ({ id }) => failed.push(id) });
  return {
    jobs,
    nowMs: () => clock.nowMs(),
    pass: async (milliseconds: number) => {
      clock.pass(milliseconds);
      jobs.look();
    },
    load: async (given: boolean) => {
      isLoaded = given;
    },
  };
}

describeJobs('the queue in memory', (atOnce) => queueOf(atOnce));

it('tells of a worker that threw', async () => {
  const failed: string[] = [];
  const { jobs } = queueOf(1, failed);
  await jobs.work(async () => {
    throw new Error('thrown on purpose');
  });
  await jobs.enqueue({ id: 'a', kind: 'backup', subject: 'a', priority: 1, sources: [], attempt: 1 });
  await jobs.idle();
  expect(failed).toEqual(['a']);
});

it('says when it is to be asked again', async () => {
  const { jobs, nowMs, load } = queueOf(1);
  await jobs.work(async () => {});
  expect(jobs.nextMs(nowMs())).toBeUndefined();
  const waiting = { kind: 'check', subject: 'a', priority: 3, sources: [], attempt: 1 };
  await jobs.schedule({ id: 'later', ...waiting }, nowMs() + 1000);
  expect(jobs.nextMs(nowMs())).toBe(nowMs() + 1000);
  await load(true);
  await jobs.enqueue({ id: 'deferred', ...waiting });
  expect(jobs.nextMs(nowMs() + 2000)).toBe(nowMs() + 62_000);
});
