import { HoldfastError } from '../../foundation/errors.ts';
import type { ObjectLock, ObjectStore, ObjectVersion } from '../../store/index.ts';

/** What can lock objects in a store. @throws store-unsuitable where nothing can */
export function lockIn({ lock, location }: ObjectStore): ObjectLock {
  if (lock !== undefined) return lock;
  throw new HoldfastError('store-unsuitable', `${location} keeps no versions of objects`, {
    hint: 'Only a bucket with versioning and object lock does.',
    context: { store: location },
  });
}

/** The versions of every object below a prefix, each object's newest first. */
export async function versionsByKey(lock: ObjectLock, prefix: string): Promise<Map<string, ObjectVersion[]>> {
  const versions = new Map<string, ObjectVersion[]>();
  for await (const version of lock.listVersions(prefix)) {
    const own = versions.get(version.key);
    if (own === undefined) versions.set(version.key, [version]);
    else own.push(version);
  }
  return versions;
}

/** The same of what lies below any of these prefixes. */
export async function versionsBelow(
  store: ObjectStore,
  prefixes: readonly string[],
): Promise<Map<string, ObjectVersion[]>> {
  const lock = lockIn(store);
  const each = await Promise.all(prefixes.map((prefix) => versionsByKey(lock, prefix)));
  return new Map(each.flatMap((versions) => [...versions]));
}
