/** What can be seen in a ledger, and held against a control. Pure. */
import { formatDuration } from '../../foundation/units.ts';
import { nextDue, type Schedule } from '../../schedule/index.ts';
import type { ComplianceFacts } from './facts.ts';

/** Something that events show. */
export interface Claim {
  says: string;
  /** Their ids, oldest first: at least one. */
  events: string[];
  /** RFC 3339: of the oldest and of the newest. */
  from: string;
  until: string;
}

/** What one question to the ledger gave. */
export interface Observed {
  claims: Claim[];
  /** What would have to be there, and is not: a sentence each. */
  missing: string[];
  /** What an auditor has to know beside that. */
  remarks?: string[];
  /** Why the period had no occasion for it. */
  uncalled?: string;
}

export type Observation = (facts: ComplianceFacts) => Observed;

/** None where there are no events: nothing is claimed without. An event that is given twice counts once. */
export function claim(says: string, shown: readonly { id: string; timeMs: number }[]): Claim[] {
  const events = [...new Map(shown.map((each) => [each.id, each])).values()].sort(
    (one, other) => one.timeMs - other.timeMs,
  );
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) return [];
  const [from, until] = [first, last].map(({ timeMs }) => new Date(timeMs).toISOString()) as [string, string];
  return [{ says, events: events.map(({ id }) => id), from, until }];
}

/** What is due may take so long. */
const DUE_WITHIN_MS = 24 * 3_600_000;

/**
 * When what is to be done at times was due once more after it was done last, and was not done until the period was over;
 * undefined where it was not due, or is done whenever something changes.
 */
export function missedDue(
  { plan: { timezone }, untilMs }: Pick<ComplianceFacts, 'plan' | 'untilMs'>,
  schedule: Schedule | undefined,
  lastMs: number,
): number | undefined {
  if (schedule === undefined || schedule.kind === 'continuous') return undefined;
  const dueMs = nextDue(schedule, lastMs, timezone);
  return dueMs !== undefined && dueMs + DUE_WITHIN_MS < untilMs ? dueMs : undefined;
}

/** How many there are of each, by name: `docs 3, mail 12`. */
export function perName(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
}

export function listed(names: readonly string[]): string {
  return names.join(', ');
}

/** `1 backup`, `3 backups`. */
export function times(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

export function at(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

export function span(durationMs: number): string {
  return formatDuration(durationMs);
}
