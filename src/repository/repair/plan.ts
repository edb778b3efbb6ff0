import type { BlobType, IndexFile, PackedBlob } from '../../format/index.ts';
import type { ReadIndexFile } from '../read-index.ts';
import type { Examination } from './examine.ts';
import type { DroppedPack, LostBlob } from './report.ts';

/** What is to be done, worked out from what there is. Pure. */
export interface RepairPlan {
  /** Index files that cannot stay as they are: they are damaged, or name a pack that is not as they say. */
  replacedIndexFiles: ReadIndexFile[];
  /** What of their entries stays true, and the packs that are new to the index. */
  newEntries: IndexFile['packs'];
  packsIndexed: string[];
  /** `keptAs` is filled in when it is done. */
  packsDropped: DroppedPack[];
  /** Blobs of damaged packs that are nowhere else, by pack. */
  toSalvage: Map<string, PackedBlob[]>;
  blobsLost: LostBlob[];
  /** The index as it will be, with what is to be salvaged where it lies now. */
  future: IndexFile;
}

export function planRepair({ indexFiles, verdicts, listings }: Examination): RepairPlan {
  const isGood = (pack: string): boolean => verdicts.get(pack)?.kind === 'as-indexed';
  const entriesOf = (files: readonly ReadIndexFile[]): IndexFile['packs'] =>
    files.flatMap(({ file }) => file?.packs ?? []);
  const isReplaced = ({ file }: ReadIndexFile): boolean =>
    file === undefined || !file.packs.every(({ id }) => isGood(id));
  const replacedIndexFiles = indexFiles.filter(isReplaced);
  const packsIndexed: IndexFile['packs'] = [];
  for (const [id, verdict] of verdicts)
    if (verdict.kind === 'to-be-indexed') packsIndexed.push({ id, blobs: verdict.blobs });
  const newEntries = [...entriesOf(replacedIndexFiles).filter(({ id }) => isGood(id)), ...packsIndexed];
  const kept = entriesOf(indexFiles.filter((each) => !isReplaced(each)));
  const there = new BlobNames();
  for (const { blobs } of [...kept, ...newEntries]) there.add(blobs);
  const toSalvage = planSalvage(verdicts, there);
  const salvaged = [...toSalvage].map(([id, blobs]) => ({ id, blobs }));
  return {
    replacedIndexFiles,
    newEntries,
    packsIndexed: packsIndexed.map(({ id }) => id),
    toSalvage,
    ...whatIsLost({ verdicts, listings }, there),
    future: { packs: [...kept, ...newEntries, ...salvaged] },
  };
}

/** Which blobs to take from which damaged pack: each that is nowhere else, once. Adds them to `there`. */
function planSalvage(verdicts: Examination['verdicts'], there: BlobNames): Map<string, PackedBlob[]> {
  const toSalvage = new Map<string, PackedBlob[]>();
  for (const [pack, verdict] of verdicts) {
    if (verdict.kind !== 'damaged') continue;
    const blobs = verdict.readable.filter((blob) => !there.has(blob));
    there.add(blobs);
    if (blobs.length > 0) toSalvage.set(pack, blobs);
  }
  return toSalvage;
}

/** What packs that are missing or damaged held and is in no other. */
function whatIsLost(
  { verdicts, listings }: Pick<Examination, 'verdicts' | 'listings'>,
  there: BlobNames,
): Pick<RepairPlan, 'packsDropped' | 'blobsLost'> {
  const packsDropped: DroppedPack[] = [];
  const blobsLost: LostBlob[] = [];
  const named = new BlobNames();
  for (const [pack, verdict] of verdicts) {
    if (verdict.kind !== 'missing' && verdict.kind !== 'damaged') continue;
    const unreadable = verdict.kind === 'damaged' ? verdict.unreadable : (listings.get(pack) ?? []).flat();
    const readable = verdict.kind === 'damaged' ? verdict.readable.length : 0;
    const reason = verdict.kind === 'damaged' ? verdict.reason : 'it is missing';
    packsDropped.push({ pack, reason, readable, unreadable: unreadable.length });
    for (const blob of unreadable) {
      if (there.has(blob) || named.has(blob)) continue;
      named.add([blob]);
      blobsLost.push({ id: blob.id, type: blob.type, pack });
    }
  }
  return { packsDropped, blobsLost };
}

/** A set of blobs, of which a tree and a file of the same bytes are two. */
class BlobNames {
  readonly #ids: Record<BlobType, Set<string>> = { data: new Set(), tree: new Set() };

  add(blobs: readonly Pick<PackedBlob, 'id' | 'type'>[]): void {
    for (const { id, type } of blobs) this.#ids[type].add(id);
  }

  has({ id, type }: Pick<PackedBlob, 'id' | 'type'>): boolean {
    return this.#ids[type].has(id);
  }
}
