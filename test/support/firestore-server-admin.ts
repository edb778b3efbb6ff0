/**
 * The administrative interface of the test server: databases, indexes, fields, exports and imports, with operations that
 * take a while. Exports lie in memory, by their URL.
 *
 * Source: the comments of `google.firestore.admin.v1` and `google.longrunning`; Google Cloud, "Manage databases", "Export and
 * import data".
 */

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { fromJSON, type MessageTypeDefinition } from '@grpc/proto-loader';
import { type FirestoreDatabase, versionAt } from './firestore-server-database.ts';
import { type Document, type Fields, microsOf, type Timestamp, timestampOf } from './firestore-server-messages.ts';
import { databaseNameOf, invalid, Refusal } from './firestore-server-names.ts';
import { loadService, type Methods } from './firestore-server-protos.ts';
import type { ServerState } from './firestore-server-state.ts';

const PROTO = join(import.meta.dirname, '../../node_modules/@google-cloud/firestore/build/protos/admin_v1.json');
const TYPES = fromJSON(JSON.parse(readFileSync(PROTO, 'utf8')) as Parameters<typeof fromJSON>[0], {
  longs: String,
  enums: String,
});

/** Of a database other than the default one. */
const DATABASE_ID = /^[a-z][a-z0-9-]{2,61}[a-z0-9]$/;
/** As often is asked before an operation is over. */
const POLLS = 1;

interface DatabaseSettings {
  locationId: string;
  type: string;
  createTime: Timestamp;
}

export interface IndexDefinition {
  name?: string;
  queryScope: string;
  fields: Record<string, unknown>[];
}

interface FieldDefinition {
  name: string;
  indexConfig?: { indexes?: IndexDefinition[] };
  ttlConfig?: object;
}

interface Operation {
  name: string;
  pollsLeft: number;
  metadata?: Any | undefined;
  response: Any;
}

interface Any {
  type_url: string;
  value: Buffer;
}

export class FirestoreAdmin {
  /** What is known of databases beside their documents, by name. */
  readonly settings = new Map<string, DatabaseSettings>();
  /** By the name of the database. */
  readonly indexes = new Map<string, IndexDefinition[]>();
  readonly fields = new Map<string, FieldDefinition[]>();
  /** By the URL of the export. */
  readonly exports = new Map<string, Export>();
  /** So many documents the next exports leave out. */
  lostInExports = 0;
  /** The names of operations that were called off. */
  readonly cancelled: string[] = [];
  readonly #server: ServerState;
  readonly #operations = new Map<string, Operation>();

  constructor(server: ServerState) {
    this.#server = server;
    for (const name of server.databases.keys()) this.#describe(name, { locationId: 'nam5' });
    server.addService(loadService('admin_v1', 'google.firestore.admin.v1.FirestoreAdmin'), {
      ...this.#databaseMethods(),
      ...this.#indexMethods(),
      ...this.#exportMethods(),
    });
    server.addService(loadService('admin_v1', 'google.longrunning.Operations'), {
      GetOperation: ({ name }: { name: string }) => this.#poll(name),
      CancelOperation: ({ name }: { name: string }) => {
        this.#operations.delete(name);
        this.cancelled.push(name);
        return {};
      },
    });
  }

  #databaseMethods(): Methods {
    return {
      CreateDatabase: (request: { parent: string; databaseId: string; database?: Partial<DatabaseSettings> }) => {
        const { parent, databaseId, database = {} } = request;
        if (databaseId !== '(default)' && !DATABASE_ID.test(databaseId)) throw invalid('Invalid database_id.');
        if (!database.locationId) throw invalid('location_id is required.');
        const name = `${parent}/databases/${databaseId}`;
        if (this.#server.databases.has(name)) throw new Refusal(status.ALREADY_EXISTS, 'Database already exists.');
        this.#server.createDatabase(name);
        this.#describe(name, database);
        return this.#begin(name, 'Database', this.#databaseOf(name));
      },
      GetDatabase: ({ name }: { name: string }) => this.#databaseOf(name),
      ListDatabases: ({ parent }: { parent: string }) => ({
        databases: [...this.#server.databases.keys()]
          .filter((name) => name.startsWith(`${parent}/databases/`))
          .map((name) => this.#databaseOf(name)),
      }),
      DeleteDatabase: ({ name }: { name: string }) => {
        const database = this.#databaseOf(name);
        for (const all of [this.#server.databases, this.settings, this.indexes, this.fields]) all.delete(name);
        return this.#begin(name, 'Database', database);
      },
    };
  }

  #indexMethods(): Methods {
    return {
      CreateIndex: ({ parent, index }: { parent: string; index: IndexDefinition }) => {
        const database = databaseNameOf(this.#server.databaseOf(parent).name);
        const all = this.indexes.get(database) ?? [];
        this.indexes.set(database, all);
        const isSame = ({ name, queryScope, fields }: IndexDefinition): boolean =>
          name!.startsWith(`${parent}/`) &&
          JSON.stringify([queryScope, fields]) === JSON.stringify([index.queryScope, index.fields]);
        if (all.some(isSame)) throw new Refusal(status.ALREADY_EXISTS, 'index already exists');
        if (index.fields.length < 2 && index.queryScope !== 'COLLECTION_GROUP') {
          throw invalid('this index is not necessary, configure using single field index controls');
        }
        const made = { ...index, name: `${parent}/indexes/${randomUUID().slice(0, 12)}`, state: 'READY' };
        all.push(made);
        return this.#begin(database, 'Index', made);
      },
      ListIndexes: ({ parent }: { parent: string }) => {
        const all = this.indexes.get(this.#server.databaseOf(parent).name) ?? [];
        const group = parent.slice(parent.indexOf('/collectionGroups/'));
        return { indexes: all.filter(({ name }) => group === '/collectionGroups/-' || name!.includes(`${group}/`)) };
      },
      UpdateField: ({ field }: { field: FieldDefinition }) => {
        const database = this.#server.databaseOf(field.name).name;
        const others = (this.fields.get(database) ?? []).filter(({ name }) => name !== field.name);
        this.fields.set(database, [...others, field]);
        return this.#begin(database, 'Field', field);
      },
      ListFields: ({ parent, filter = '' }: { parent: string; filter?: string }) => {
        if (!/usesAncestorConfig|ttlConfig/.test(filter)) throw invalid('only fields that were overridden are listed');
        return { fields: this.fields.get(this.#server.databaseOf(parent).name) ?? [] };
      },
    };
  }

  #exportMethods(): Methods {
    return {
      ExportDocuments: (request: ExportRequest) => {
        const { name, collectionIds = [], snapshotTime } = request;
        const database = this.#server.databaseOf(name);
        const prefix = request.outputUriPrefix ?? '';
        if (!/^gs:\/\/[^/]+/.test(prefix)) throw invalid('output_uri_prefix must be a Cloud Storage path.');
        if (snapshotTime !== undefined && (microsOf(snapshotTime) % 60e6 !== 0 || (snapshotTime.nanos ?? 0) !== 0)) {
          throw invalid('snapshot_time must be a whole minute.');
        }
        if (this.exports.has(prefix)) throw invalid(`Path already exists: ${prefix}`);
        const micros =
          snapshotTime === undefined ? database.nowMicros : database.readMicros({ readTime: snapshotTime });
        const documents = documentsAt(database, micros, collectionIds).slice(this.lostInExports);
        this.exports.set(prefix, { documents, collectionIds });
        const progress = { completedWork: `${documents.length}`, estimatedWork: `${documents.length}` };
        const metadata = {
          ...{ startTime: timestampOf(database.nowMicros), endTime: timestampOf(database.nowMicros) },
          ...{ operationState: 'SUCCESSFUL', progressDocuments: progress, collectionIds, outputUriPrefix: prefix },
          ...(snapshotTime && { snapshotTime }),
        };
        const response = { outputUriPrefix: prefix };
        return this.#begin(name, 'ExportDocumentsResponse', response, anyOf('ExportDocumentsMetadata', metadata));
      },
      ImportDocuments: ({ name, inputUriPrefix, collectionIds = [] }: ImportRequest) => {
        const database = this.#server.databaseOf(name);
        const exported = this.exports.get(inputUriPrefix);
        if (exported === undefined) throw new Refusal(status.NOT_FOUND, `No export at ${inputUriPrefix}.`);
        if (collectionIds.some((id) => !exported.collectionIds.includes(id))) {
          throw invalid('only collections that the export was made by can be imported by themselves');
        }
        for (const { name: from, fields = {} } of exported.documents.filter((each) => isOf(each.name, collectionIds))) {
          const to = from.replace(databaseNameOf(from), name);
          database.commit([{ update: { name: to, fields: relocated(fields, databaseNameOf(from), name) } }]);
        }
        const operation = this.#begin(name, '', {});
        return operation;
      },
    };
  }

  #describe(name: string, { locationId = 'nam5', type = 'FIRESTORE_NATIVE' }: Partial<DatabaseSettings>): void {
    const createTime = timestampOf(this.#server.nowMicros());
    this.settings.set(name, { locationId, type, createTime });
    if (!this.indexes.has(name)) this.indexes.set(name, []);
    if (!this.fields.has(name)) this.fields.set(name, []);
  }

  #databaseOf(name: string): object {
    const database = this.#server.databaseOf(name);
    if (!this.settings.has(name)) this.#describe(name, {});
    const isRecovering = database.recoveryEnabledMicros !== undefined;
    return {
      ...{ name, ...this.settings.get(name) },
      pointInTimeRecoveryEnablement: `POINT_IN_TIME_RECOVERY_${isRecovering ? 'ENABLED' : 'DISABLED'}`,
      versionRetentionPeriod: { seconds: isRecovering ? '604800' : '3600' },
      earliestVersionTime: timestampOf(Math.max(0, database.earliestVersionMicros)),
    };
  }

  #begin(resource: string, type: string, response: object, metadata?: Any): object {
    const name = `${databaseNameOf(resource)}/operations/${randomUUID()}`;
    const answer = type === '' ? { type_url: EMPTY_TYPE, value: Buffer.alloc(0) } : anyOf(type, response);
    this.#operations.set(name, { name, pollsLeft: POLLS, metadata, response: answer });
    return { name, done: false, ...(metadata && { metadata }) };
  }

  #poll(name: string): object {
    const operation = this.#operations.get(name);
    if (operation === undefined) throw new Refusal(status.NOT_FOUND, `Operation ${name} not found.`);
    const { metadata, response } = operation;
    const about = { name, ...(metadata && { metadata }) };
    return operation.pollsLeft-- > 0 ? { ...about, done: false } : { ...about, done: true, response };
  }
}

const EMPTY_TYPE = 'type.googleapis.com/google.protobuf.Empty';

interface ExportRequest {
  name: string;
  collectionIds?: string[];
  outputUriPrefix?: string;
  snapshotTime?: Timestamp;
}

/** What lies at a URL, and by which collections it was made: none for all. */
interface Export {
  documents: Document[];
  collectionIds: readonly string[];
}

interface ImportRequest {
  name: string;
  inputUriPrefix: string;
  collectionIds?: string[];
}

function anyOf(type: string, message: object): Any {
  const name = `google.firestore.admin.v1.${type}`;
  const definition = TYPES[name] as MessageTypeDefinition<object, object>;
  return { type_url: `type.googleapis.com/${name}`, value: definition.serialize(message) };
}

function documentsAt(database: FirestoreDatabase, micros: number, collectionIds: readonly string[]): Document[] {
  return database.entries.flatMap((entry) => {
    const document = versionAt(entry, micros)?.document;
    return document !== undefined && isOf(document.name, collectionIds) ? [document] : [];
  });
}

/** Whether a document is in a collection of one of these ids: an export by ids has nothing of what is below them. */
function isOf(name: string, collectionIds: readonly string[]): boolean {
  return collectionIds.length === 0 || collectionIds.includes(name.split('/').at(-2)!);
}

/** References into the database that was exported lead into the one that it is imported to. */
function relocated(fields: Fields, from: string, to: string): Fields {
  const text = JSON.stringify(fields, (_key, value) => value);
  if (!text.includes(`"referenceValue":"${from}/`)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value.referenceValue?.startsWith(`${from}/`)
        ? { referenceValue: to + value.referenceValue.slice(from.length) }
        : value,
    ]),
  );
}
