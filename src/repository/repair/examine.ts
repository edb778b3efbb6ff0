import type { IndexFile, PackedBlob } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { listPacks } from '../check/check.ts';
import { DAMAGED_PREFIX, idOfKey } from '../layout.ts';
import { ReadPool } from '../read/pool.ts';
import { type ReadIndexFile, readEachIndexFile } from '../read-index.ts';
import type { Repository } from '../repository.ts';
import { examinePack, type Verdict } from './examine-pack.ts';

/** How many headers are read at the same time. Whole packs are as many as there are threads, and one. */
const PARALLEL_HEADERS = 8;

/** What there is, before anything is changed. */
export interface Examination {
  indexFiles: ReadIndexFile[];
  /** By pack; packs that only an index names are `missing`. */
  verdicts: Map<string, Verdict | { kind: 'missing' }>;
  /** What index files say of a pack, each once. */
  listings: Map<string, PackedBlob[][]>;
}

/** Looks at every pack. @param readData whether to read every byte of it, and not its header alone */
export async function examine(
  repository: Repository,
  { readData, progress, signal }: { readData: boolean; progress: Progress; signal: AbortSignal },
): Promise<Examination> {
  const indexFiles = await readEachIndexFile(repository);
  assertOnlyDamaged(indexFiles);
  const listings = listingsOf(indexFiles.flatMap(({ file }) => file ?? []));
  const sizes = await listPacks(repository);
  const suspects = await packsPutAside(repository);
  const verdicts: Examination['verdicts'] = new Map();
  for (const pack of listings.keys()) if (!sizes.has(pack)) verdicts.set(pack, { kind: 'missing' });
  const packs = [...sizes];
  const bytes = packs.reduce((sum, [, size]) => sum + size, 0);
  progress.phase(
    readData ? 'reading packs' : "reading packs' headers",
    readData ? { bytes, items: packs.length } : { items: packs.length },
  );
  await using pool = new ReadPool(repository.key);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < packs.length; at = next++) {
      signal.throwIfAborted();
      const [id, sizeBytes] = packs[at]!;
      const pack = { id, sizeBytes, listings: listings.get(id) ?? [] };
      verdicts.set(id, await examineIfThere(repository, pack, { whole: readData || suspects.has(id), pool }));
      progress.advance(readData ? { items: 1, bytes: sizeBytes } : { items: 1 });
    }
  };
  await Promise.all(Array.from({ length: readData ? pool.threadCount + 1 : PARALLEL_HEADERS }, work));
  return { indexFiles, verdicts, listings };
}

function examineIfThere(...pack: Parameters<typeof examinePack>): Promise<Verdict | { kind: 'missing' }> {
  return examinePack(...pack).catch((error: unknown) => {
    if (isHoldfastError(error, 'object-missing')) return { kind: 'missing' as const };
    throw error;
  });
}

/** @throws what kept an index file from being read, unless that is damage: then it is nothing that a repair may replace */
function assertOnlyDamaged(indexFiles: readonly ReadIndexFile[]): void {
  const unread = indexFiles.find(({ error }) => error !== undefined && error.code !== 'repository-damaged');
  if (unread?.error !== undefined) throw unread.error;
}

function listingsOf(files: readonly IndexFile[]): Map<string, PackedBlob[][]> {
  const listings = new Map<string, PackedBlob[][]>();
  for (const { id, blobs } of files.flatMap(({ packs }) => packs)) {
    const known = listings.get(id);
    if (known === undefined) listings.set(id, [blobs]);
    else known.push(blobs);
  }
  return listings;
}

/** Packs of which a damaged copy was put aside by a repair that perhaps did not end: no header of theirs is believed. */
async function packsPutAside(repository: Repository): Promise<Set<string>> {
  const packs = new Set<string>();
  for await (const { key } of repository.store.list(DAMAGED_PREFIX)) {
    const id = idOfKey(key);
    if (id !== undefined) packs.add(id);
  }
  return packs;
}
