import type { AlertRule, Found } from '../condition.ts';
import type { SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleSource } from './example.ts';
import { moment } from './words.ts';

/** A snapshot is there that was marked as suspect, and was not cleared. */
export const changeAnomaly: AlertRule = {
  basis: 'sources',
  find: ({ sources }) => sources.flatMap((each) => suspicion(each)),
  example: (plan, _rule, nowMs) =>
    exampleFacts(plan, nowMs, {
      sources: [
        exampleSource(plan, {
          suspects: [{ snapshot: '0'.repeat(64), timeMs: nowMs, why: 'nine times as much new data as usual' }],
        }),
      ],
    }),
};

function suspicion({ source: { name }, suspects }: SourceFacts): Found[] {
  const newest = suspects.at(-1);
  if (newest === undefined) return [];
  const id = newest.snapshot.slice(0, 8);
  const more = suspects.length > 1 ? `, and ${suspects.length - 1} before it` : '';
  return [
    {
      subject: name,
      message: `snapshot ${id} of ${name} is unlike what is usual: ${newest.why}${more}`,
      sinceMs: suspects[0]!.timeMs,
      endangers: `${name} itself: it may have been encrypted, emptied or overwritten before ${moment(newest.timeMs)}`,
      command: `holdfast compare ${name}`,
    },
  ];
}
