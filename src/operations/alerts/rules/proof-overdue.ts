import { formatDuration } from '../../../foundation/units.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { Facts, SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleSource } from './example.ts';
import { moment } from './words.ts';

const DAY_MS = 24 * 3_600_000;

/** The newest proven recovery point is older than the objective allows. */
export const proofOverdue: AlertRule = {
  basis: 'sources',
  find: (facts) => facts.sources.flatMap((each) => overdue(facts, each)),
  example(plan, _rule, nowMs) {
    const { status, ...facts } = exampleSource(plan);
    const proofMs = status.objectives.proofMs ?? 8 * DAY_MS;
    const actual = { provenRpoMs: proofMs + DAY_MS };
    return exampleFacts(plan, nowMs, {
      sources: [{ ...facts, status: { ...status, objectives: { proofMs }, actual, missed: ['proof'] } }],
    });
  },
};

function overdue({ nowMs }: Facts, { source: { name }, status }: SourceFacts): Found[] {
  const { missed, actual, objectives } = status;
  if (!missed.includes('proof')) return [];
  const promised = `promised are ${formatDuration(objectives.proofMs!)}`;
  const common = {
    subject: name,
    endangers: `the recovery of ${name}: nobody has seen for so long that it comes back`,
    command: `holdfast verify ${name}`,
  };
  if (actual.provenRpoMs === undefined) {
    return [{ ...common, message: `no recovery point of ${name} was ever proven; ${promised}`, sinceMs: nowMs }];
  }
  const provenMs = nowMs - actual.provenRpoMs;
  const message = `the newest proven recovery point of ${name} is of ${moment(provenMs)}; ${promised}`;
  return [{ ...common, message, sinceMs: provenMs + objectives.proofMs! }];
}
