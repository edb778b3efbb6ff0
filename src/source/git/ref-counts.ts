import { displayName } from '../../format/index.ts';
import type { ItemCount } from '../index.ts';
import { KEPT_PREFIX, type Refs } from './refs.ts';

const ALL = 'refs';
const UNIT = 'references';

/**
 * What a repository named itself: all of it, by kind (`refs/heads` for branches, `refs/tags`) and each reference. What is
 * kept of earlier times does not count: a branch that was deleted has vanished.
 */
export function refCounts(refs: Refs): ItemCount[] {
  const living = [...refs.keys()].filter((name) => !name.startsWith(KEPT_PREFIX));
  const kinds = new Map<string, number>();
  for (const name of living) kinds.set(kindOf(name), (kinds.get(kindOf(name)) ?? 0) + 1);
  return [
    { item: ALL, count: living.length, unit: UNIT },
    ...[...kinds].map(([kind, count]) => ({ item: displayName(kind), count, unit: UNIT, within: ALL })),
    ...living
      .filter((name) => kindOf(name) !== name)
      .map((name) => ({ item: displayName(name), count: 1, unit: UNIT, within: displayName(kindOf(name)) })),
  ];
}

/** `refs/heads` of `refs/heads/feature/a`; of `refs/stash` itself. */
function kindOf(name: string): string {
  return name.split('/', 2).join('/');
}
