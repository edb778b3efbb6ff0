import { decodeSnapshot, encodeSnapshot, type Snapshot, snapshotTimeMs } from '../format/index.ts';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { idOfKey, SNAPSHOTS_PREFIX, snapshotKey } from './layout.ts';
import type { Repository } from './repository.ts';

/** A snapshot that is in a repository. */
export interface StoredSnapshot extends Snapshot {
  id: string;
}

const SHORTEST_ID_PREFIX = 4;

/** Whoever removes snapshots is done some time. */
const LISTINGS = 10;

/**
 * All snapshots, oldest first. Of what is replaced by something else meanwhile either is among them, or both: a listing is
 * not one moment, so that there is another one when a snapshot is gone by the time that it is read.
 * @param onDamage is told of a snapshot that cannot be read, which is left out then; without it that is thrown
 * @throws repository-damaged
 */
export async function listSnapshots(
  repository: Repository,
  onDamage?: (error: HoldfastError) => void,
): Promise<StoredSnapshot[]> {
  for (let listing = 1; ; listing++) {
    const keys = await repository.documentKeys(SNAPSHOTS_PREFIX);
    const damages: HoldfastError[] = [];
    const note = onDamage && ((error: HoldfastError) => void damages.push(error));
    const read = await Promise.all(keys.map((key) => readIfThere(repository, key, note)));
    if (read.includes('gone') && listing < LISTINGS) continue;
    for (const damage of damages) onDamage?.(damage);
    return inOrderOfTime(read.filter((each) => typeof each === 'object').map(timed));
  }
}

/** The snapshots of a repository that is looked at again and again: a document never changes, and is read once. */
export class KnownSnapshots {
  readonly #repository: Repository;
  readonly #read = new Map<string, TimedSnapshot>();
  #snapshots: StoredSnapshot[] = [];

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /**
   * Those that are there now, oldest first, and why others could not be read. Where nothing came or went, the first is the
   * same list as before.
   */
  async list(): Promise<{ snapshots: readonly StoredSnapshot[]; damaged: readonly HoldfastError[] }> {
    const keys = await this.#repository.documentKeys(SNAPSHOTS_PREFIX);
    const gone = new Set(this.#read.keys()).difference(new Set(keys));
    for (const key of gone) this.#read.delete(key);
    const fresh = keys.filter((key) => !this.#read.has(key));
    const damaged: HoldfastError[] = [];
    const read = await Promise.all(
      fresh.map(
        async (key) => [key, await readIfThere(this.#repository, key, (error) => damaged.push(error))] as const,
      ),
    );
    const added = read.filter((each): each is [string, StoredSnapshot] => typeof each[1] === 'object');
    for (const [key, snapshot] of added) this.#read.set(key, timed(snapshot));
    if (gone.size + added.length > 0) this.#snapshots = inOrderOfTime([...this.#read.values()]);
    return { snapshots: this.#snapshots, damaged };
  }
}

/** Its time is read once: to read it takes longer than to compare it. */
interface TimedSnapshot {
  snapshot: StoredSnapshot;
  timeMs: number;
}

function timed(snapshot: StoredSnapshot): TimedSnapshot {
  return { snapshot, timeMs: snapshotTimeMs(snapshot) };
}

/** Oldest first. */
function inOrderOfTime(snapshots: readonly TimedSnapshot[]): StoredSnapshot[] {
  return snapshots
    .toSorted((a, b) => a.timeMs - b.timeMs || (a.snapshot.id < b.snapshot.id ? -1 : 1))
    .map(({ snapshot }) => snapshot);
}

/** How many are read at the same time, and perhaps in vain. */
const READ_AHEAD = 4;

/**
 * Snapshots from the one that was stored last on, as far as they are asked for: reading on costs, and there may be many.
 * @param onDamage is told of a snapshot that cannot be read, which is left out
 */
export async function* latestSnapshots(
  repository: Repository,
  onDamage: (error: HoldfastError) => void,
): AsyncGenerator<StoredSnapshot> {
  const stored = [...(await repository.documentTimes(SNAPSHOTS_PREFIX))];
  stored.sort(([a, atMs], [b, btMs]) => btMs - atMs || (a < b ? -1 : 1));
  for (let at = 0; at < stored.length; at += READ_AHEAD) {
    const some = stored.slice(at, at + READ_AHEAD);
    const read = await Promise.all(some.map(([key]) => readIfThere(repository, key, onDamage, readRecentSnapshot)));
    yield* read.filter((each) => typeof each === 'object');
  }
}

async function readIfThere(
  repository: Repository,
  key: string,
  onDamage?: (error: HoldfastError) => void,
  readOne = readSnapshot,
): Promise<StoredSnapshot | 'gone' | 'damaged'> {
  try {
    return await readOne(repository, key);
  } catch (error) {
    // One that was forgotten between being listed and being read is no snapshot any more.
    if (isHoldfastError(error, 'object-missing')) return 'gone';
    if (onDamage === undefined || !isHoldfastError(error)) throw error;
    onDamage(error);
    return 'damaged';
  }
}

export async function readSnapshot(repository: Repository, key: string): Promise<StoredSnapshot> {
  const document = await repository.getDocument(key);
  try {
    return { ...decodeSnapshot(document), id: idOfKey(key)! };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(error.code, `${key}: ${error.message}`, { cause: error, context: { key } });
  }
}

/** Enough for what the backups of a few sources look back to. */
const RECENT = 512;
const recent = new WeakMap<Repository, Map<string, StoredSnapshot>>();

/**
 * The same, for who looks back again and again at what came before: what was read a while ago may be gone since.
 * @throws as `readSnapshot`
 */
export async function readRecentSnapshot(repository: Repository, key: string): Promise<StoredSnapshot> {
  const known = recent.get(repository) ?? new Map<string, StoredSnapshot>();
  recent.set(repository, known);
  const snapshot = known.get(key) ?? (await readSnapshot(repository, key));
  known.set(key, snapshot);
  const [oldest] = known.keys();
  if (known.size > RECENT) known.delete(oldest!);
  return snapshot;
}

/**
 * The snapshot with this id, or with an id that begins so.
 * @throws unknown-snapshot when there is none, or more than one
 */
export function findSnapshot(snapshots: readonly StoredSnapshot[], idPrefix: string): StoredSnapshot {
  const known = snapshots.length === 1 ? 'there is one snapshot' : `there are ${snapshots.length} snapshots`;
  const matching =
    /^[0-9a-f]+$/.test(idPrefix) && idPrefix.length >= SHORTEST_ID_PREFIX
      ? snapshots.filter(({ id }) => id.startsWith(idPrefix))
      : [];
  if (matching.length === 1) return matching[0]!;
  throw new HoldfastError(
    'unknown-snapshot',
    `${matching.length === 0 ? 'no snapshot' : `${matching.length} snapshots`} with an id that begins with ${JSON.stringify(idPrefix)}; ${known}`,
    {
      hint: 'List them with `holdfast snapshots`; an id may be shortened to its first 4 digits or more, as long as it is the only one.',
    },
  );
}

/** Makes a snapshot visible. Everything that it refers to must be durable. Resolves to its id. */
export async function saveSnapshot(repository: Repository, snapshot: Snapshot): Promise<string> {
  return repository.putDocument(SNAPSHOTS_PREFIX, encodeSnapshot(snapshot));
}

/** Removes a snapshot; what only it refers to stays until a prune. One that is gone already is no error. */
export async function removeSnapshot(repository: Repository, id: string): Promise<void> {
  await repository.store.delete(snapshotKey(id));
}
