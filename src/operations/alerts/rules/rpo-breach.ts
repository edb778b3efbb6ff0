import { formatDuration } from '../../../foundation/units.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { Facts, SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleSource } from './example.ts';
import { moment } from './words.ts';

const HOUR_MS = 3_600_000;

/** The newest complete recovery point is older than the objective allows. */
export const rpoBreach: AlertRule = {
  basis: 'sources',
  find: (facts) => facts.sources.flatMap((each) => breach(facts, each)),
  example(plan, _rule, nowMs) {
    const { status, ...facts } = exampleSource(plan);
    const rpoMs = status.objectives.rpoMs ?? HOUR_MS;
    return exampleFacts(plan, nowMs, {
      sources: [
        { ...facts, status: { ...status, objectives: { rpoMs }, actual: { rpoMs: rpoMs + HOUR_MS }, missed: ['rpo'] } },
      ],
    });
  },
};

function breach({ nowMs, sinceMs, record }: Facts, { source: { name }, status }: SourceFacts): Found[] {
  const { missed, actual, objectives } = status;
  if (!missed.includes('rpo')) return [];
  const promisedMs = objectives.rpoMs!;
  const promised = `promised are ${formatDuration(promisedMs)}`;
  const common = { subject: name, command: `holdfast backup ${name}` };
  if (actual.rpoMs === undefined) {
    // Nobody can have one in less time than that after all of it began.
    const breachedMs = (record.beganMs ?? sinceMs) + promisedMs;
    if (nowMs < breachedMs) return [];
    const message = `${name} has no recovery point; ${promised}`;
    return [{ ...common, message, sinceMs: breachedMs, endangers: `all of ${name}: nothing of it could be recovered` }];
  }
  const newestMs = nowMs - actual.rpoMs;
  return [
    {
      ...common,
      message: `the newest recovery point of ${name} is of ${moment(newestMs)}; ${promised}`,
      sinceMs: newestMs + promisedMs,
      endangers: `what changed in ${name} since ${moment(newestMs)}: it would be lost`,
    },
  ];
}
