import { isHoldfastError } from '../../foundation/errors.ts';
import { sideBySide } from '../../foundation/promises.ts';
import type { ObjectLock, ObjectStore, ObjectVersion } from '../../store/index.ts';
import { CONFIG_KEY } from '../layout.ts';
import { authenticate, isRewritten, kindOf } from '../mirror/objects.ts';
import type { Repository } from '../repository.ts';
import { CREATE_WITHIN_MS } from '../repository.ts';
import { isLocked } from './locked-objects.ts';
import { lockIn, versionsByKey } from './versions.ts';

/** Each is in memory as a whole. */
const PARALLEL_READS = 4;

/** An object that is not what a reader meets: somebody put a deletion or something else before it. */
export interface HiddenObject {
  key: string;
  how: 'deleted' | 'replaced';
  /** The version that is right, of which every byte was read. */
  version: ObjectVersion;
  /** What lies before it, newest first. */
  before: ObjectVersion[];
}

/** Where to look, and for what not. */
export interface HiddenSearch {
  /** Where the copy of the repository lies that is looked at. */
  store: ObjectStore;
  /** All versions there, or those below some prefixes; they are listed when left out. */
  versions?: ReadonlyMap<string, ObjectVersion[]>;
  /** Which of these keys somebody said were to be removed. Asked once something is gone. */
  namedAsRemoved(keys: readonly string[]): Promise<ReadonlySet<string>>;
}

/**
 * Finds the objects of a repository that are hidden: gone behind a marker, although nobody said that they were to go, or
 * behind another content. Where the newest versions differ they are read.
 * @throws store-unsuitable; the store's errors
 */
export async function findHidden(
  repository: Repository,
  { store, versions, namedAsRemoved }: HiddenSearch,
): Promise<HiddenObject[]> {
  const lock = lockIn(store);
  const all = versions ?? (await versionsByKey(lock, ''));
  const suspects = [...all].filter(([key, own]) => isLocked(key) && mayHide(own));
  const gone = suspects.filter(([, own]) => own[0]!.isMarker).map(([key]) => key);
  const named = new Set(gone.length === 0 ? [] : await namedAsRemoved(gone));
  for (const key of await leftByMakers(lock, all)) named.add(key);
  const looked = await sideBySide(
    suspects.filter(([key]) => !named.has(key)),
    PARALLEL_READS,
    ([, own]) => lookBehind(repository, lock, own),
  );
  return looked.filter((each) => each !== undefined);
}

/** Keys of who gave way to another that made the repository at the same time: there is no ledger yet that could name them. */
async function leftByMakers(lock: ObjectLock, versions: ReadonlyMap<string, ObjectVersion[]>): Promise<string[]> {
  const keys = [...versions].filter(([key]) => kindOf(key) === 'key');
  const gone = keys.filter(([, [newest]]) => newest!.isMarker);
  // Who made it has left a key of theirs.
  if (gone.length === 0 || gone.length === keys.length) return [];
  const madeMs = (await versionsByKey(lock, CONFIG_KEY)).get(CONFIG_KEY)?.at(-1)?.modifiedMs;
  if (madeMs === undefined) return [];
  return gone.filter(([, [newest]]) => newest!.modifiedMs < madeMs + CREATE_WITHIN_MS).map(([key]) => key);
}

/** Whether a content lies behind something else, as far as a listing tells. */
function mayHide([newest, ...others]: readonly ObjectVersion[]): boolean {
  const contents = others.filter(({ isMarker }) => !isMarker);
  if (newest === undefined || contents.length === 0) return false;
  const isSame = ({ tag, sizeBytes }: ObjectVersion): boolean =>
    tag !== undefined && tag === newest.tag && sizeBytes === newest.sizeBytes;
  return newest.isMarker || !contents.every(isSame);
}

/** What of an object is hidden. What was right at first is right: only the configuration is ever written anew. */
async function lookBehind(
  repository: Repository,
  lock: ObjectLock,
  versions: readonly ObjectVersion[],
): Promise<HiddenObject | undefined> {
  const [newest] = versions;
  const { key } = newest!;
  const contents = versions.filter(({ isMarker }) => !isMarker);
  const oldestFirst = isRewritten(kindOf(key)!) ? contents : contents.toReversed();
  const first = await firstAuthentic(repository, lock, oldestFirst);
  if (first === undefined || first.version.id === newest!.id) return undefined;
  const before = versions.slice(
    0,
    versions.findIndex(({ id }) => id === first.version.id),
  );
  if (newest!.isMarker) return { key, how: 'deleted', version: first.version, before };
  const shown = await contentIfThere(lock, newest!);
  // A read that met it has put it right by now.
  if (shown === undefined || Buffer.from(shown).equals(first.bytes)) return undefined;
  return { key, how: 'replaced', version: first.version, before };
}

async function contentIfThere(lock: ObjectLock, version: ObjectVersion): Promise<Uint8Array | undefined> {
  try {
    return await lock.getVersion(version);
  } catch (error) {
    if (isHoldfastError(error, 'object-missing')) return undefined;
    throw error;
  }
}

async function firstAuthentic(
  repository: Repository,
  lock: ObjectLock,
  versions: readonly ObjectVersion[],
): Promise<{ version: ObjectVersion; bytes: Uint8Array } | undefined> {
  for (const version of versions) {
    try {
      const bytes = await lock.getVersion(version);
      authenticate(repository, version.key, bytes);
      return { version, bytes };
    } catch (error) {
      // Gone since it was listed, or nothing that this repository ever wrote.
      if (!isHoldfastError(error, 'repository-damaged') && !isHoldfastError(error, 'object-missing')) throw error;
    }
  }
  return undefined;
}

/**
 * Makes a hidden object what a reader meets again: what lies before it is removed; where that is refused, as what is locked
 * itself is, its content is stored again on top.
 * @returns which of the two it was
 */
export async function reveal(store: ObjectStore, hidden: HiddenObject): Promise<'uncovered' | 'stored again'> {
  const lock = lockIn(store);
  const bytes = await lock.getVersion(hidden.version);
  try {
    for (const version of hidden.before.toReversed()) await lock.removeVersion(version);
    return 'uncovered';
  } catch (error) {
    if (!isHoldfastError(error, 'permission-denied')) throw error;
    await store.put(hidden.key, bytes);
    return 'stored again';
  }
}
