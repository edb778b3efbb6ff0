import { parsePercentage } from '../../foundation/units.ts';

/** Which part of the packs a check reads. */
export type Subset =
  /** A share of the bytes, which begins where the check before ended. */
  | { kind: 'share'; fraction: number }
  /** The packs of one of so many groups, as restic has them: by the first byte of their ids. */
  | { kind: 'group'; group: number; groups: number };

export interface PackSize {
  id: string;
  sizeBytes: number;
}

/** restic tells groups apart by one byte. */
const MAX_GROUPS = 256;

/** `5%` or `2/7`; undefined for anything else. */
export function parseSubset(text: string): Subset | undefined {
  const fraction = parsePercentage(text);
  if (fraction !== undefined) return fraction > 0 && fraction <= 1 ? { kind: 'share', fraction } : undefined;
  const [, group, groups] = (/^(\d{1,3})\/(\d{1,3})$/.exec(text) ?? []).map(Number);
  if (group === undefined || groups === undefined || group < 1 || group > groups || groups > MAX_GROUPS)
    return undefined;
  return { kind: 'group', group, groups };
}

/**
 * The packs of a subset. Shares go through all packs in the order of their ids, which is as good as at random, and begin again
 * at the end: runs that together read all bytes read every pack that was there all the time.
 * @param after the id that the run before ended with
 */
export function selectPacks(packs: readonly PackSize[], subset: Subset, after = ''): PackSize[] {
  if (subset.kind === 'group') {
    return packs.filter(({ id }) => Number.parseInt(id.slice(0, 2), 16) % subset.groups === subset.group - 1);
  }
  const ordered = [...packs].sort((a, b) => (a.id < b.id ? -1 : 1));
  const first = ordered.findIndex(({ id }) => id > after);
  const turned = first < 0 ? ordered : [...ordered.slice(first), ...ordered.slice(0, first)];
  const wantedBytes = subset.fraction * packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const selected: PackSize[] = [];
  for (let bytes = 0, at = 0; at < turned.length && bytes < wantedBytes; at++) {
    selected.push(turned[at]!);
    bytes += turned[at]!.sizeBytes;
  }
  return selected;
}
