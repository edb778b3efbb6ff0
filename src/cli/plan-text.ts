import type { PlanDifference } from '../operations/index.ts';
import { bad, doubtful, faint, good, oneLine } from './text.ts';

/** What differs from the revision that was applied last, for people. */
export function differenceText({ revision, changes, weakened }: PlanDifference): string[] {
  if (revision === undefined) return ['No revision of this plan was applied yet.'];
  if (changes.length === 0) return [`The plan is as revision ${revision} has it.`];
  const lines = changes.map(({ path, kind, before, after }) => {
    if (kind === 'added') return oneLine`${good('+')} ${path}: ${shown(after)}`;
    if (kind === 'removed') return oneLine`${bad('-')} ${path}: ${shown(before)}`;
    return oneLine`${doubtful('~')} ${path}: ${shown(before)} ${faint('->')} ${shown(after)}`;
  });
  return [...lines, ...weakened.map(({ message }) => oneLine`${bad('weakened')} ${message}`)];
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
