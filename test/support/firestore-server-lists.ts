/** The lists of Firestore: collections below a document, and documents of a collection with those that are missing. */

import { type Entry, type FirestoreDatabase, versionAt } from './firestore-server-database.ts';
import { lowerBound, startsWith } from './firestore-server-query.ts';

/** The ids of the collections right below `parent` that have documents, at any depth, at the time. */
export function collectionIds(database: FirestoreDatabase, parent: string[], micros: number): string[] {
  const ids = new Set<string>();
  for (const entry of descendants(database, parent)) {
    if (versionAt(entry, micros)?.document !== undefined) ids.add(entry.parts[parent.length]!);
  }
  return [...ids];
}

export interface Listed {
  id: string;
  /** Undefined of a document that is missing: there are documents below it. */
  entry: Entry | undefined;
  collectionId: string;
}

/** The documents of a collection, or of all collections right below `parent` where it is `''`. */
export function listed(
  database: FirestoreDatabase,
  parent: string[],
  { collectionId, showMissing, micros }: { collectionId: string; showMissing: boolean; micros: number },
): Listed[] {
  const found: Listed[] = [];
  const depth = parent.length;
  for (const entry of descendants(database, parent)) {
    const [collection, id] = entry.parts.slice(depth, depth + 2) as [string, string];
    if (collectionId !== '' && collection !== collectionId) continue;
    if (versionAt(entry, micros)?.document === undefined) continue;
    const isItself = entry.parts.length === depth + 2;
    const last = found.at(-1);
    if (last?.id === id && last.collectionId === collection) continue;
    if (isItself || showMissing) found.push({ id, collectionId: collection, entry: isItself ? entry : undefined });
  }
  return found;
}

function* descendants({ entries }: FirestoreDatabase, parent: string[]): Generator<Entry> {
  let index = parent.length === 0 ? 0 : lowerBound(entries, { parts: parent, isBefore: false });
  for (; index < entries.length && startsWith(entries[index]!.parts, parent); index++) yield entries[index]!;
}
