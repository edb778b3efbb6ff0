import { z } from 'zod';
import { HoldfastError, messageOf } from '../../../foundation/errors.ts';
import type { FirestoreDatabase } from '../../../foundation/firestore-database.ts';
import { pauseUntilAborted } from '../../../foundation/pause.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import { INDEXES_FILE } from '../codec/layout.ts';
import { databaseName } from '../codec/names.ts';
import { type FirestoreEndpoint, openFirestore, openFirestoreAdmin } from '../connection.ts';
import { CODE, codeOf, firestoreFailure } from '../failures.ts';
import { topCollections } from './living-documents.ts';

const INDEXES_LIMIT_BYTES = 16 * 1024 * 1024;

const field = z.looseObject({ fieldPath: z.string() });
const index = z.looseObject({ collectionGroup: z.string(), queryScope: z.string(), fields: z.array(field) });
const override = z.looseObject({
  collectionGroup: z.string(),
  fieldPath: z.string(),
  ttl: z.boolean().optional(),
  indexes: z.array(z.looseObject({ queryScope: z.string().optional() })).optional(),
});

/** `firestore.indexes.json` as Firebase's tools write it. More may be there. */
const configuration = z.looseObject({
  indexes: z.array(index).default([]),
  fieldOverrides: z.array(override).default([]),
});

type Configuration = z.infer<typeof configuration>;

/** The databases of one project: which there are, and how they are made and removed. */
export class FirestoreAdministration implements AsyncDisposable {
  readonly #project: string;
  readonly #admin: ReturnType<typeof openFirestoreAdmin>;

  constructor(project: string, endpoint: FirestoreEndpoint) {
    this.#project = project;
    this.#admin = openFirestoreAdmin(project, endpoint);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin[Symbol.asyncDispose]();
  }

  /** The ids of all databases. @throws target-failed */
  async list(): Promise<string[]> {
    const { client, callOptions } = this.#admin;
    const [{ databases }] = await this.#told('', client.listDatabases({ parent: this.#parent }, callOptions));
    return (databases ?? []).map(({ name }) => name!.slice(name!.lastIndexOf('/') + 1));
  }

  /**
   * Makes a database and waits until it is there.
   * @returns whether it was made: false where one of that id was there
   * @throws target-failed
   */
  async create(database: string, location: string): Promise<boolean> {
    const { client, callOptions } = this.#admin;
    const request = {
      ...{ parent: this.#parent, databaseId: database },
      database: { locationId: location, type: 'FIRESTORE_NATIVE' as const },
    };
    try {
      const [operation] = await client.createDatabase(request, callOptions);
      await operation.promise();
      return true;
    } catch (error) {
      if (codeOf(error) === CODE.alreadyExists) return false;
      throw this.#failure(database, `cannot make the database: ${messageOf(error)}`, error);
    }
  }

  /** Removes a database with all that is in it. One that is not there is none to remove. @throws target-failed */
  async remove(database: string): Promise<void> {
    const { client, callOptions } = this.#admin;
    try {
      const [operation] = await client.deleteDatabase({ name: this.#nameOf(database) }, callOptions);
      await operation.promise();
    } catch (error) {
      if (codeOf(error) === CODE.notFound) return;
      throw this.#failure(database, `cannot remove the database: ${messageOf(error)}`, error);
    }
  }

  /**
   * Makes indexes and exemptions, and waits until they can be used: in an empty database that takes moments.
   * @returns what a person should know
   * @throws target-failed
   */
  async configure(database: string, { indexes, fieldOverrides }: Configuration): Promise<string[]> {
    const building = [];
    for (const { collectionGroup, ...definition } of indexes) {
      building.push(this.#createIndex(database, collectionGroup, definition));
    }
    for (const each of fieldOverrides) building.push(this.#overrideField(database, each));
    await Promise.all(building);
    const made = indexes.length + fieldOverrides.length;
    const expiring = fieldOverrides.filter(({ ttl }) => ttl).map((each) => `${each.collectionGroup}.${each.fieldPath}`);
    return [
      ...(made > 0 ? [`${made} indexes and exemptions were made`] : []),
      ...(expiring.length > 0
        ? [
            `documents expire by ${expiring.join(', ')} in the source and not here: what has expired since would go at once`,
          ]
        : []),
    ];
  }

  async #createIndex(database: string, collectionGroup: string, definition: object): Promise<void> {
    const { client, callOptions } = this.#admin;
    const parent = `${this.#nameOf(database)}/collectionGroups/${collectionGroup}`;
    try {
      const [operation] = await client.createIndex({ parent, index: definition }, callOptions);
      await operation.promise();
    } catch (error) {
      if (codeOf(error) === CODE.alreadyExists) return;
      throw this.#failure(database, `cannot make an index of ${collectionGroup}: ${messageOf(error)}`, error);
    }
  }

  async #overrideField(
    database: string,
    { collectionGroup, fieldPath, indexes }: Configuration['fieldOverrides'][number],
  ) {
    if (indexes === undefined) return;
    const { client, callOptions } = this.#admin;
    const name = `${this.#nameOf(database)}/collectionGroups/${collectionGroup}/fields/${fieldPath}`;
    const definitions = indexes.map(({ queryScope = 'COLLECTION', ...how }) => ({
      queryScope: queryScope as 'COLLECTION',
      fields: [{ fieldPath, ...how }],
    }));
    const request = { field: { name, indexConfig: { indexes: definitions } }, updateMask: { paths: ['index_config'] } };
    try {
      const [operation] = await client.updateField(request, callOptions);
      await operation.promise();
    } catch (error) {
      throw this.#failure(database, `cannot exempt ${collectionGroup}.${fieldPath}: ${messageOf(error)}`, error);
    }
  }

  get #parent(): string {
    return `projects/${this.#project}`;
  }

  #nameOf(database: string): string {
    return databaseName(this.#project, database);
  }

  async #told<T>(database: string, call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      throw this.#failure(database, `cannot list the databases of ${this.#project}: ${messageOf(error)}`, error);
    }
  }

  #failure(database: string, message: string, cause: unknown): HoldfastError {
    if (codeOf(cause) === CODE.unauthenticated) return firestoreFailure(cause, this.#nameOf(database), 'target');
    return new HoldfastError('target-failed', message, {
      hint: `Its credentials need the role \`roles/datastore.owner\` in ${this.#project}, where the Firestore API must be enabled.`,
      context: { project: this.#project, database, code: codeOf(cause) },
      cause,
    });
  }
}

/** The indexes of a snapshot, where it has them. @throws archive-damaged */
export async function storedIndexes(reader: SnapshotReader): Promise<Configuration | undefined> {
  const node = await reader.find(`/data/${INDEXES_FILE}`);
  if (node === undefined) return undefined;
  try {
    return configuration.parse(JSON.parse((await reader.readWhole(node, INDEXES_LIMIT_BYTES)).toString('utf8')));
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError('archive-damaged', `${INDEXES_FILE} of the snapshot cannot be read: ${messageOf(error)}`, {
      hint: 'Check the repository with `holdfast check --read-data`.',
      cause: error,
    });
  }
}

/** Where databases are made when the snapshot does not say where its own was. */
export const FALLBACK_LOCATION = 'nam5';

/**
 * Makes a database that is missing, with the indexes of the snapshot. One that is there and empty gets them as well: a restore
 * that made it may have died before.
 * @returns what a person should know
 * @throws bad-usage where nobody knows the location; target-failed
 */
export async function createForRestore(
  reader: SnapshotReader,
  { project, database }: FirestoreDatabase,
  { location, endpoint, signal }: { location: string | undefined; endpoint: FirestoreEndpoint; signal: AbortSignal },
): Promise<string[]> {
  if (location === undefined) {
    throw new HoldfastError('bad-usage', 'the snapshot does not say in which location its database was', {
      hint: 'Name the one that the new database is to be in: `--location nam5`.',
    });
  }
  await using administration = new FirestoreAdministration(project, endpoint);
  const isNew = await administration.create(database, location);
  if (!isNew && !(await isEmpty({ project, database }, endpoint, signal))) return [];
  const indexes = await storedIndexes(reader);
  const notes = indexes === undefined ? [] : await administration.configure(database, indexes);
  return [...(isNew ? [`the database ${databaseName(project, database)} was made in ${location}`] : []), ...notes];
}

async function isEmpty(place: FirestoreDatabase, endpoint: FirestoreEndpoint, signal: AbortSignal): Promise<boolean> {
  await using connection = openFirestore(place, endpoint);
  const context = { pause: pauseUntilAborted(signal), signal, side: 'target' as const };
  return (await topCollections(connection, context)).length === 0;
}
