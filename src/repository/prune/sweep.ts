import { encodeIndexFile, type IndexFile, MAX_BLOBS_PER_INDEX_FILE } from '../../format/index.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Progress } from '../../foundation/progress.ts';
import { awaitedLater, sideBySide } from '../../foundation/promises.ts';
import { INDEX_PREFIX, idOfKey, packKey } from '../layout.ts';
import type { HeldLock } from '../locks.ts';
import { indexOf } from '../read-index.ts';
import type { Repository } from '../repository.ts';
import { mergedIndex } from '../write/session.ts';
import { type Mark, packsOf, removeMark } from './marks.ts';
import { blobsOf, sizeOf } from './plan.ts';
import { type Stock, takeStock } from './stock.ts';
import type { UsedBlobs } from './used.ts';

const PARALLEL_DELETES = 8;
/** When somebody removed the lock by hand, nothing is removed for longer than this. */
const CONFIRM_EVERY_MS = 30_000;

/** What a sweep is about to remove, by id: packs, and the index files that name them. */
export interface Removal {
  packs: string[];
  indexes: string[];
}

export interface SweepOptions {
  /** An upkeep lock that names the marks: from then on nobody builds on what they name, and nobody who did is left. */
  lock: HeldLock;
  clock: Clock;
  signal: AbortSignal;
  progress: Progress;
  /** Told before the first object is removed; what it throws ends the sweep. */
  announce(removal: Removal): Promise<void>;
}

export interface Swept {
  packs: number;
  bytes: number;
  /** Packs that were marked and are needed after all: they stay. */
  rescued: number;
}

/**
 * Removes what the marks name, save what is needed. It trusts no earlier look: snapshots, index and packs are read now.
 *
 * The order makes it safe at any instant: the new index, then the old index files, then the packs, then the marks. Until
 * the last mark is gone, the next sweep does all of it again.
 * @param used grows by what snapshots need that it does not know yet
 * @throws repository-damaged
 */
export async function sweep(
  repository: Repository,
  marks: readonly Mark[],
  used: UsedBlobs,
  options: SweepOptions,
): Promise<Swept> {
  const { lock, clock, signal, progress, announce } = options;
  const confirmHeld = confirmedNowAndThen(lock, clock);
  const mayGoOn = async (): Promise<void> => {
    signal.throwIfAborted();
    await confirmHeld();
  };
  const marked = packsOf(marks);
  progress.phase('looking at what was added since');
  const stock = await takeStock(repository);
  const { index, sizes } = stock;
  await used.add(indexOf(repository, [...index.values()], marked), stock.snapshots, options);
  const rescued = neededPacks(stock, marked, used);
  const going = marked.difference(rescued);
  const rewritten = filesToRewrite(index, going);
  const there = [...going].filter((pack) => sizes.has(pack));
  const swept: Swept = {
    packs: there.length,
    bytes: there.reduce((sum, pack) => sum + sizes.get(pack)!, 0),
    rescued: rescued.size,
  };
  if (there.length > 0 || rewritten.size > 0) {
    await mayGoOn();
    await announce({ packs: there, indexes: [...rewritten.keys()].map((key) => idOfKey(key)!) });
  }
  progress.phase('removing packs', { items: there.length });
  await writeIndexWithout(repository, [...rewritten.values()], going, mayGoOn);
  // Until here nothing is gone, however long it took.
  if (there.length > 0 || rewritten.size > 0) await lock.confirm();
  const remove = async (key: string): Promise<void> => {
    await mayGoOn();
    await repository.store.delete(key);
  };
  await sideBySide([...rewritten.keys()], PARALLEL_DELETES, remove);
  await sideBySide(there, PARALLEL_DELETES, async (pack) => {
    await remove(packKey(pack));
    progress.advance({ items: 1 });
  });
  for (const { id } of marks) await removeMark(repository, id);
  return swept;
}

/** A check that the lock is held, which looks into the repository for it at first and then every so often: one look for all who wait. */
function confirmedNowAndThen(lock: HeldLock, clock: Clock): () => Promise<void> {
  let lookedMs = Number.NEGATIVE_INFINITY;
  let looking = Promise.resolve();
  return async () => {
    if (clock.monotonicMs() - lookedMs >= CONFIRM_EVERY_MS) {
      lookedMs = clock.monotonicMs();
      looking = awaitedLater(lock.confirm());
    }
    await looking;
    lock.assertHeld();
  };
}

/**
 * The marked packs that hold something needed which no other pack has. All of them, where several hold it: somebody may be
 * reading from any.
 */
function neededPacks({ packs, sizes }: Stock, marked: ReadonlySet<string>, used: UsedBlobs): Set<string> {
  const lasting = packs.filter((pack) => !marked.has(pack.id) && sizes.get(pack.id) === sizeOf(pack));
  const safe = blobsOf(lasting);
  const isNeeded = ({ blobs }: IndexFile['packs'][number]): boolean =>
    blobs.some(({ id, type }) => {
      const bytes = Buffer.from(id, 'hex');
      return used.has(bytes, type) && !safe.has(bytes, type);
    });
  return new Set(packs.filter((pack) => marked.has(pack.id) && isNeeded(pack)).map(({ id }) => id));
}

/** The index files that name a pack which goes, and with them those that are far from full, so that they become fewer. */
function filesToRewrite(index: ReadonlyMap<string, IndexFile>, going: ReadonlySet<string>): Map<string, IndexFile> {
  const files = [...index];
  const namesGoing = ({ packs, packsToDelete = [] }: IndexFile): boolean =>
    [packs, packsToDelete].some((named) => named.some(({ id }) => going.has(id)));
  if (!files.some(([, file]) => namesGoing(file))) return new Map();
  return new Map(
    files.filter(([, file]) => {
      const blobs = file.packs.reduce((sum, pack) => sum + pack.blobs.length, 0);
      return blobs < MAX_BLOBS_PER_INDEX_FILE / 2 || namesGoing(file);
    }),
  );
}

async function writeIndexWithout(
  repository: Repository,
  files: readonly IndexFile[],
  going: ReadonlySet<string>,
  mayGoOn: () => Promise<void>,
): Promise<void> {
  for (const file of mergedIndex(files, going)) {
    await mayGoOn();
    await repository.putDocument(INDEX_PREFIX, encodeIndexFile(file));
  }
}
