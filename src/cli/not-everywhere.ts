import type { HeldOrReleased } from '../operations/index.ts';
import { failureLines } from './failure-text.ts';
import { shortId } from './text.ts';

/** Where something could not be said of a snapshot, and what to do about it. */
export function notEverywhere({ snapshot, failures }: HeldOrReleased): string[] {
  if (failures.length === 0) return [];
  const names = failures.map(({ repository }) => repository).join(', ');
  return [
    ...failureLines(failures),
    `Copies of ${shortId(snapshot)} in ${names} are what they were: say the same again once this is mended, and before the next \`retain\`.`,
  ];
}
