import { displayName } from '../../format/index.ts';
import type { Comparison, Discrepancy } from '../index.ts';
import { headText, KEPT_PREFIX, type RefState } from './refs.ts';

/**
 * Holds what a repository names against what a snapshot's names. What the snapshot keeps of earlier times is no difference:
 * the repository need not have it.
 */
export function compareRefs(stored: RefState, found: RefState): Comparison {
  const differences: Discrepancy[] = [];
  const add = (name: string, kind: Discrepancy['kind'], detail: string): void =>
    void differences.push({ item: displayName(name), kind, detail });
  const heads = { stored: headText(stored.head).trim(), found: headText(found.head).trim() };
  if (heads.stored !== heads.found) add('HEAD', 'content', `is ${heads.found}, not ${heads.stored}`);
  for (const [name, id] of stored.refs) {
    const other = found.refs.get(name);
    if (other === undefined && !name.startsWith(KEPT_PREFIX)) add(name, 'missing', `is missing; it was ${id}`);
    else if (other !== undefined && other !== id) add(name, 'content', `is ${other}, not ${id}`);
  }
  for (const [name, id] of found.refs)
    if (!stored.refs.has(name)) add(name, 'extra', `is ${id}; the snapshot does not have it`);
  return { compared: stored.refs.size, differences, notes: [] };
}
