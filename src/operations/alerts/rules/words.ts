/** How rules say things. */
import type { Plan } from '../../../plan/index.ts';

/** A time for people, to the minute: `2026-01-31 14:03 UTC`. */
export function moment(timeMs: number): string {
  const text = new Date(timeMs).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 16)} UTC`;
}

/** Puts back from a mirror what is damaged in a repository; where it has none, says what is damaged. */
export function mendsDamage({ mirrors }: Pick<Plan, 'mirrors'>, repository: string): string {
  const isMirrored = [...mirrors.values()].some(({ of }) => of === repository);
  return `holdfast check ${repository} ${isMirrored ? '--repair' : '--read-data'}`;
}

export function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`;
}
