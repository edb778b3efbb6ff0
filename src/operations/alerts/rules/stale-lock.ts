import type { AlertRule } from '../condition.ts';
import { exampleFacts, exampleRepository } from './example.ts';
import { moment } from './words.ts';

/** A lock is there that nobody has refreshed for long. */
export const staleLock: AlertRule = {
  basis: 'repositories',
  find: ({ nowMs, repositories }, { afterMs }) =>
    repositories.flatMap(({ repository, locks }) => {
      const stale = locks.filter(({ sinceMs }) => nowMs - sinceMs > afterMs!).toSorted((a, b) => a.sinceMs - b.sinceMs);
      const oldest = stale[0];
      if (oldest === undefined) return [];
      const more = stale.length > 1 ? `, and ${stale.length - 1} more` : '';
      return [
        {
          subject: repository,
          message: `${repository} has a lock of ${oldest.holder} that nobody has refreshed since ${moment(oldest.sinceMs)}${more}`,
          sinceMs: oldest.sinceMs + afterMs!,
          endangers: `what needs ${repository} to itself: other programs may wait for the lock`,
          command: `holdfast unlock ${repository}`,
        },
      ];
    }),
  example: (plan, { afterMs }, nowMs) =>
    exampleFacts(plan, nowMs, {
      repositories: [
        exampleRepository(plan, {
          locks: [{ id: '0'.repeat(64), holder: 'root on db1 (process 4711)', sinceMs: nowMs - 2 * afterMs! }],
        }),
      ],
    }),
};
