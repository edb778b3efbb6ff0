import type { PromisedMoments } from './oracle.ts';

/** When what keeps repositories in order is due in a plan that does not say so. */
export function upkeepOf(...repositories: string[]): Record<string, PromisedMoments> {
  return Object.fromEntries(
    repositories.flatMap((name): [string, PromisedMoments][] => [
      [`retain:${name}`, { at: '04:00' }],
      [`prune:${name}`, { at: '04:30', weekday: 0 }],
      [`check:${name}`, { at: '04:00', weekday: 6 }],
    ]),
  );
}
