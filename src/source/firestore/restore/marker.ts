import { hash } from 'node:crypto';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { Selection, SnapshotReader } from '../../../repository/index.ts';
import { ONCE } from '../capture/reading.ts';
import type { FirestoreConnection } from '../connection.ts';
import { firestoreFailure } from '../failures.ts';
import { fetchDocuments, type LivingContext, topCollections } from './living-documents.ts';
import { readAgain } from './transient.ts';

/** While a restore to an empty database is under way, a document in it says of what. It goes as the last of all. */
export const MARK_COLLECTION = 'holdfast-restore';
const NAME = `documents/${MARK_COLLECTION}/in-progress`;

/**
 * Makes an empty database this restore's own.
 * @returns whether the same restore was begun there before, and is to be gone on with
 * @throws target-not-empty
 */
export async function claimDatabase(
  connection: FirestoreConnection,
  { reader, selection }: { reader: SnapshotReader; selection: Selection | undefined },
  context: LivingContext,
): Promise<'fresh' | 'resumed'> {
  const { client, database, callOptions } = connection;
  const collections = await topCollections(connection, context);
  const restoring = digestOf(reader, selection);
  const name = `${database}/${NAME}`;
  if (collections.includes(MARK_COLLECTION)) {
    if ((await restoringIn(connection, context)) === restoring) return 'resumed';
    throw notEmpty(database, 'holds another restore that was interrupted');
  }
  if (collections.length > 0) throw notEmpty(database, `has ${collections.slice(0, 5).join(', ')}`);
  const fields = {
    restoring: { stringValue: restoring },
    snapshot: { stringValue: reader.id },
    about: { stringValue: 'Holdfast is restoring a snapshot to this database; this document goes once it is whole.' },
  };
  try {
    // Of two restores that begin at once, one finds that the other was there.
    const writes = [{ update: { name, fields }, currentDocument: { exists: false } }];
    await readAgain(context.pause, () => client.commit({ database, writes } as object, { ...ONCE, ...callOptions }));
  } catch (error) {
    throw firestoreFailure(error, database, 'target');
  }
  return 'fresh';
}

/** Takes the mark of this restore away. Harmless where there is none, or another restore's. @throws target-failed */
export async function releaseDatabase(
  connection: FirestoreConnection,
  { reader, selection }: { reader: SnapshotReader; selection: Selection | undefined },
  context: LivingContext,
): Promise<void> {
  const { client, database, callOptions } = connection;
  if ((await restoringIn(connection, context)) !== digestOf(reader, selection)) return;
  try {
    const writes = [{ delete: `${database}/${NAME}` }];
    await readAgain(context.pause, () => client.commit({ database, writes } as object, { ...ONCE, ...callOptions }));
  } catch (error) {
    throw firestoreFailure(error, database, 'target');
  }
}

function digestOf({ tree }: SnapshotReader, selection: Selection | undefined): string {
  return hash('sha256', JSON.stringify([tree, selection?.only ?? [], selection?.exclude ?? []]));
}

/** Which restore the database is marked with, if any. */
async function restoringIn(connection: FirestoreConnection, context: LivingContext): Promise<string | undefined> {
  const name = `${connection.database}/${NAME}`;
  const found = (await fetchDocuments(connection, [name], context)).get(name);
  return found?.fields?.['restoring']?.stringValue ?? undefined;
}

function notEmpty(database: string, why: string): HoldfastError {
  return new HoldfastError('target-not-empty', `the database ${database} is not empty: it ${why}`, {
    hint: 'Name a database that is empty or new (`--create` makes it), or let what differs be written there with `--diff` or `--replace`; `--dry-run` shows it first.',
    context: { database },
  });
}
