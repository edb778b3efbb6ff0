import { sideBySide } from '../../foundation/promises.ts';
import type { ObjectStore, StoredObject } from '../../store/index.ts';
import { CONFIG_KEY, DATA_PREFIX, HOLDFAST_PREFIX, INDEX_PREFIX, KEYS_PREFIX, SNAPSHOTS_PREFIX } from '../layout.ts';
import type { Repository } from '../repository.ts';
import { assertMirrorOf } from './assert-mirror.ts';
import { kindOf } from './objects.ts';

export type SizedKey = [key: string, sizeBytes: number];

/** How many are looked at or listed at once. */
const PARALLEL = 32;

/** The objects below a prefix that belong to a repository, with their sizes in bytes. @param note is told of each */
export async function listObjects(
  store: ObjectStore,
  prefix: string,
  note?: (object: StoredObject) => void,
): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const object of store.list(prefix)) {
    if (kindOf(object.key) === undefined) continue;
    sizes.set(object.key, object.sizeBytes);
    note?.(object);
  }
  return sizes;
}

/** Adds what is referred to by what was listed already: what refers to others is listed before them. */
export async function listReferredTo(
  store: ObjectStore,
  listed: Map<string, number>,
  note?: (object: StoredObject) => void,
): Promise<void> {
  for (const prefixes of [[SNAPSHOTS_PREFIX], [INDEX_PREFIX], [DATA_PREFIX, KEYS_PREFIX]]) {
    for (const some of await sideBySide(prefixes, prefixes.length, (prefix) => listObjects(store, prefix, note))) {
      for (const [key, size] of some) listed.set(key, size);
    }
  }
  listed.set(CONFIG_KEY, 0);
}

/**
 * What a mirror has and its primary does not, whoever may have said that it was to go: keys with sizes in bytes, without
 * what a person may tidy up as they like.
 * @returns also how many objects the mirror has in all
 * @throws mirror-refused when it is no mirror of that
 */
export async function findGone(
  primary: Repository,
  mirror: ObjectStore,
): Promise<{ gone: Map<string, number>; all: number }> {
  await assertMirrorOf(primary, mirror);
  const theirs = await listObjects(mirror, '');
  const ours = await listObjects(primary.store, HOLDFAST_PREFIX);
  await listReferredTo(primary.store, ours);
  const gone = new Map([...theirs].filter(([key]) => !ours.has(key) && !['damaged', 'mark'].includes(kindOf(key)!)));
  // What was put in the meantime is not gone, whatever was listed.
  await sideBySide([...gone.keys()], PARALLEL, async (key) => {
    if ((await primary.store.stat(key)) !== undefined) gone.delete(key);
  });
  return { gone, all: theirs.size };
}
