import { type IndexFile, type PackedBlob, packTrailerBytes } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { BlobTable } from '../blob-table.ts';
import { packKey } from '../layout.ts';
import type { Stock } from './stock.ts';
import type { UsedBlobs } from './used.ts';

type Pack = IndexFile['packs'][number];

/** So much of what a repository holds may be unused: below it, copying costs more than the space is worth. */
export const MAX_UNUSED_SHARE = 0.05;

/** What is used of a pack, where a blob that several packs hold counts in one of them. */
export interface PackUse {
  id: string;
  sizeBytes: number;
  used: PackedBlob[];
  usedBytes: number;
}

export interface PrunePlan {
  /** Packs to be removed as they are: nothing in them is used, or no index knows them. */
  remove: { id: string; sizeBytes: number }[];
  /** Packs to be removed after what is used of them was copied. */
  repack: PackUse[];
  /** What stays unused in the packs that stay. */
  leftUnusedBytes: number;
}

/**
 * Which packs are to go. Pure.
 *
 * The cost rule: what is wholly unused goes. Of the others those are copied and removed that free the most for each byte
 * copied, until no more than `MAX_UNUSED_SHARE` of what stays is unused. Packs that mix trees and data, which only old
 * versions of restic wrote, are copied in any case.
 * @param marked packs that an earlier prune has marked: they go without being looked at again
 * @param isReadable whether a pack may be copied, by what is used of it; all may, when left out
 * @throws repository-damaged when a pack that is needed is not there as the index says
 */
export function planPrune(
  { packs, sizes }: Pick<Stock, 'packs' | 'sizes'>,
  used: Pick<UsedBlobs, 'has'>,
  marked: ReadonlySet<string> = new Set(),
  isReadable: (use: PackUse) => boolean = () => true,
): PrunePlan {
  const isSound = (pack: Pack): boolean => sizes.get(pack.id) === sizeOf(pack);
  refuseIfNeeded(
    packs.filter((pack) => !isSound(pack)),
    sizes,
    used,
    blobsOf(packs.filter(isSound)),
  );
  const uses = assign(
    packs.filter((pack) => isSound(pack) && !marked.has(pack.id)),
    used,
  );
  const known = new Set(packs.map(({ id }) => id));
  const orphans = [...sizes].flatMap(([id, sizeBytes]) => (known.has(id) || marked.has(id) ? [] : { id, sizeBytes }));
  const broken = packs.filter((pack) => !isSound(pack) && !marked.has(pack.id));
  const unused = uses.filter((use) => use.used.length === 0);
  const partly = uses.filter((use) => use.used.length > 0 && unusedBytesOf(use) > 0);
  const mixed = new Set(uses.filter((use) => isMixed(use) && isReadable(use)));
  const usedBytes = uses.reduce((sum, use) => sum + use.usedBytes, 0);
  const others = partly.filter((use) => !mixed.has(use) && isReadable(use));
  const repack = [...mixed, ...worthCopying(others, usedBytes)];
  const copied = new Set(repack);
  return {
    remove: [...unused.map(({ id, sizeBytes }) => ({ id, sizeBytes })), ...orphans, ...broken.map(asGone(sizes))],
    repack,
    leftUnusedBytes: partly.reduce((sum, use) => sum + (copied.has(use) ? 0 : unusedBytesOf(use)), 0),
  };
}

export function sizeOf({ blobs }: Pack): number {
  return blobs.reduce((sum, { length }) => sum + length, packTrailerBytes(blobs));
}

function unusedBytesOf({ sizeBytes, usedBytes }: PackUse): number {
  return sizeBytes - usedBytes;
}

/** Of a pack with nothing but trees, where the content of files is not at hand. */
export function isTreesAlone({ used }: PackUse): boolean {
  return used.every(({ type }) => type === 'tree');
}

function isMixed({ used }: PackUse): boolean {
  return used.some(({ type }) => type !== used[0]?.type);
}

function asGone(sizes: ReadonlyMap<string, number>): (pack: Pack) => { id: string; sizeBytes: number } {
  return ({ id }) => ({ id, sizeBytes: sizes.get(id) ?? 0 });
}

/** Gives each used blob to one of the packs that hold it: to the one with the greatest share of what is used. */
function assign(packs: readonly Pack[], used: Pick<UsedBlobs, 'has'>): PackUse[] {
  const ranked = packs.map((pack) => {
    const sizeBytes = sizeOf(pack);
    const usedBytes = bytesOf(pack.blobs.filter(({ id, type }) => used.has(Buffer.from(id, 'hex'), type)));
    return { pack, sizeBytes, share: usedBytes / sizeBytes };
  });
  ranked.sort((a, b) => b.share - a.share || b.sizeBytes - a.sizeBytes || (a.pack.id < b.pack.id ? -1 : 1));
  const taken = BlobTable.withCapacity(packs.reduce((sum, { blobs }) => sum + blobs.length, 0));
  return ranked.map(({ pack, sizeBytes }): PackUse => {
    const own = pack.blobs.filter((blob) => {
      const id = Buffer.from(blob.id, 'hex');
      if (!used.has(id, blob.type) || taken.has(id, blob.type)) return false;
      taken.add(id, 0, blob);
      return true;
    });
    // The end of a pack serves its blobs: of one that is all used, nothing is unused.
    const usedBytes = own.length === pack.blobs.length ? sizeBytes : bytesOf(own);
    return { id: pack.id, sizeBytes, used: own, usedBytes };
  });
}

/** All that these packs hold. */
export function blobsOf(packs: readonly Pack[]): BlobTable {
  const table = BlobTable.withCapacity(packs.reduce((sum, { blobs }) => sum + blobs.length, 0));
  for (const { blobs } of packs) for (const blob of blobs) table.add(Buffer.from(blob.id, 'hex'), 0, blob);
  return table;
}

function bytesOf(blobs: readonly PackedBlob[]): number {
  return blobs.reduce((sum, { length }) => sum + length, 0);
}

function worthCopying(partly: readonly PackUse[], usedBytes: number): PackUse[] {
  const mayStayBytes = (usedBytes * MAX_UNUSED_SHARE) / (1 - MAX_UNUSED_SHARE);
  let unusedBytes = partly.reduce((sum, use) => sum + unusedBytesOf(use), 0);
  const chosen: PackUse[] = [];
  for (const use of partly.toSorted((a, b) => a.usedBytes / a.sizeBytes - b.usedBytes / b.sizeBytes)) {
    if (unusedBytes <= mayStayBytes) break;
    chosen.push(use);
    unusedBytes -= unusedBytesOf(use);
  }
  return chosen;
}

/** @throws repository-damaged when one of these packs, which are not as they should be, has what is used and `held` nowhere */
function refuseIfNeeded(
  packs: readonly Pack[],
  sizes: ReadonlyMap<string, number>,
  used: Pick<UsedBlobs, 'has'>,
  held: BlobTable,
): void {
  for (const { id: pack, blobs } of packs) {
    const needed = blobs.find(({ id, type }) => {
      const bytes = Buffer.from(id, 'hex');
      return used.has(bytes, type) && !held.has(bytes, type);
    });
    if (needed === undefined) continue;
    const what = sizes.has(pack) ? 'has not the size that the index says' : 'is missing';
    throw new HoldfastError(
      'repository-damaged',
      `${packKey(pack)} ${what}, and a snapshot needs blob ${needed.id} of it: nothing is pruned`,
      {
        hint: 'Run `holdfast check` to see which snapshots and paths this concerns.',
        context: { pack, blob: needed.id },
      },
    );
  }
}
