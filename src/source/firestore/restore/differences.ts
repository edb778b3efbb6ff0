import { HoldfastError } from '../../../foundation/errors.ts';
import { sideBySide } from '../../../foundation/promises.ts';
import { bodyOf, encodeBody, type RawDocument } from '../codec/document-line.ts';
import { compareNames, relativeName } from '../codec/names.ts';
import type { FirestoreConnection } from '../connection.ts';
import { fetchDocuments, type LivingContext } from './living-documents.ts';
import type { StoredDocument } from './stored-lines.ts';

/** What is to be said, or done, of one document of a snapshot or a database. */
export type DocumentDifference =
  /** The snapshot alone has it, or has it otherwise. */
  | { kind: 'missing' | 'content'; stored: StoredDocument }
  | { kind: 'equal'; stored: StoredDocument }
  /** The snapshot does not have it. By its relative name. */
  | { kind: 'extra'; name: string };

const NAMES_PER_CALL = 250;
const CALLS_AT_ONCE = 8;

/** Each document of the snapshot, held against what the database has by that name. What the database has beside is not seen. */
export async function* differencesByName(
  stored: AsyncIterable<StoredDocument[]>,
  connection: FirestoreConnection,
  context: LivingContext,
): AsyncGenerator<DocumentDifference[]> {
  for await (const group of groupsOf(stored, NAMES_PER_CALL * CALLS_AT_ONCE)) {
    const calls = Array.from({ length: Math.ceil(group.length / NAMES_PER_CALL) }, (_, at) =>
      group.slice(at * NAMES_PER_CALL, (at + 1) * NAMES_PER_CALL),
    );
    const found = await sideBySide(calls, CALLS_AT_ONCE, async (documents) => {
      const names = documents.map(({ name }) => `${connection.database}/${name}`);
      const living = await fetchDocuments(connection, names, context);
      return documents.map((each, at) => differenceOf(each, living.get(names[at]!), connection.database));
    });
    yield found.flat();
  }
}

/**
 * Each document of the snapshot and of the database: both come in the order of `compareNames`.
 * @param isMeant leaves out documents of the database by their relative names
 */
export async function* differencesInOrder(
  stored: AsyncIterable<StoredDocument[]>,
  living: AsyncIterable<RawDocument>,
  { database, isMeant }: { database: string; isMeant: (name: string) => boolean },
): AsyncGenerator<DocumentDifference[]> {
  const others = namedDocuments(living, database, isMeant);
  try {
    let other = await others.next();
    for await (const documents of stored) {
      const differences: DocumentDifference[] = [];
      for (const each of documents) {
        while (!other.done && compareNames(other.value.name, each.name) < 0) {
          differences.push({ kind: 'extra', name: other.value.name });
          other = await others.next();
        }
        const isSame = !other.done && other.value.name === each.name;
        differences.push(differenceOf(each, isSame ? other.value!.document : undefined, database));
        if (isSame) other = await others.next();
      }
      yield differences;
    }
    for (; !other.done; other = await others.next()) yield [{ kind: 'extra', name: other.value.name }];
  } finally {
    await others.return(undefined);
  }
}

interface NamedDocument {
  name: string;
  document: RawDocument;
}

async function* namedDocuments(
  living: AsyncIterable<RawDocument>,
  database: string,
  isMeant: (name: string) => boolean,
): AsyncGenerator<NamedDocument, undefined> {
  let last: string | undefined;
  for await (const document of living) {
    const name = relativeName(document.name ?? '', database);
    if (last !== undefined && compareNames(last, name) >= 0) throw outOfOrder(name);
    last = name;
    if (isMeant(name)) yield { name, document };
  }
  return undefined;
}

function differenceOf(stored: StoredDocument, living: RawDocument | undefined, database: string): DocumentDifference {
  if (living === undefined) return { kind: 'missing', stored };
  return { kind: encodeBody(living, database) === bodyOf(stored.line) ? 'equal' : 'content', stored };
}

async function* groupsOf<T>(lists: AsyncIterable<T[]>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const list of lists) {
    group.push(...list);
    while (group.length >= size) {
      yield group.slice(0, size);
      group = group.slice(size);
    }
  }
  if (group.length > 0) yield group;
}

/** What is held against each other in order would be taken for missing and extra. */
function outOfOrder(name: string): HoldfastError {
  return new HoldfastError('internal', 'the database does not list its documents in the order of their names', {
    context: { name },
  });
}
