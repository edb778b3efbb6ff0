import { formatPercentage, formatSize } from '../../../foundation/units.ts';
import type { AlertRule } from '../condition.ts';
import { exampleFacts, exampleRepository } from './example.ts';

/** A repository, mirror or archive takes more than the share of its place at which the plan warns. */
export const capacity: AlertRule = {
  basis: 'repositories',
  find: ({ nowMs, repositories, plan }) =>
    repositories
      .flatMap(({ capacities }) => capacities)
      .flatMap((seen) => {
        if (!seen.isReached) return [];
        const { repository, usedBytes, ofBytes, warnAt, fullAt } = seen;
        const full = fullAt === undefined ? '' : `; at this growth it is full on ${fullAt.slice(0, 10)}`;
        const place = `${formatPercentage(warnAt)} of ${formatSize(ofBytes)}`;
        return [
          {
            subject: repository,
            message:
              usedBytes >= ofBytes
                ? `${repository} takes all of the ${formatSize(ofBytes)} that it has`
                : `${repository} takes more than ${place}${full}`,
            sinceMs: nowMs,
            endangers: `everything that is still to come to ${repository}: it will not fit`,
            // What goes from a mirror goes from its primary first.
            command: `holdfast prune ${plan.mirrors.get(repository)?.of ?? repository}`,
          },
        ];
      }),
  example(plan, _rule, nowMs) {
    const { repository } = exampleRepository(plan);
    const { ofBytes, warnAt } = plan.repositories.get(repository)?.capacity ?? { ofBytes: 5e12, warnAt: 0.8 };
    const seen = { repository, usedBytes: warnAt * ofBytes, ofBytes, warnAt, isReached: true, sources: [] };
    return exampleFacts(plan, nowMs, { repositories: [exampleRepository(plan, { capacities: [seen] })] });
  },
};
