/** Firestore for tests: a server of the project's own, or that of FIRESTORE_EMULATOR_HOST, and clients of it. */

import { randomUUID } from 'node:crypto';
import google, { type v1 } from '@google-cloud/firestore';
import { credentials } from '@grpc/grpc-js';
import { type FirestoreServer, startFirestoreServer } from './firestore-server.ts';
import type { Fields } from './firestore-server-messages.ts';
import type { FirestoreServerOptions } from './firestore-server-state.ts';

export type FirestoreClient = InstanceType<typeof v1.FirestoreClient>;

/** Whether tests run on a server that is not the project's own: what it lacks is then left out. */
export const IS_EMULATOR = process.env['FIRESTORE_EMULATOR_HOST'] !== undefined;

/** One database, and how a test writes to it. */
export interface TestDatabase {
  project: string;
  /** `projects/P/databases/(default)/documents` */
  root: string;
  /** Writes documents, given by their paths below the root. */
  write(documents: Readonly<Record<string, Fields>>): Promise<void>;
}

export interface TestFirestore extends TestDatabase {
  host: string;
  /** Undefined on an emulator. */
  server: FirestoreServer | undefined;
  client: FirestoreClient;
  /** One more database, empty. */
  another(): TestDatabase;
  close(): Promise<void>;
}

/** A server with an empty database. */
export async function startFirestore(options: Partial<FirestoreServerOptions> = {}): Promise<TestFirestore> {
  const emulator = process.env['FIRESTORE_EMULATOR_HOST'];
  const server = emulator === undefined ? await startFirestoreServer({ databases: [], ...options }) : undefined;
  const host = server?.host ?? emulator!;
  const client = clientOf(host);
  const another = (): TestDatabase => {
    const project = `test-${randomUUID().slice(0, 8)}`;
    const database = `projects/${project}/databases/(default)`;
    server?.createDatabase(database);
    return {
      project,
      root: `${database}/documents`,
      write: (documents) => writeDocuments(client, database, documents),
    };
  };
  return {
    ...{ ...another(), host, server, client, another },
    close: async () => {
      await client.close();
      server?.close();
    },
  };
}

async function writeDocuments(
  client: FirestoreClient,
  database: string,
  documents: Readonly<Record<string, Fields>>,
): Promise<void> {
  const writes = Object.entries(documents).map(([path, fields]) => ({
    update: { name: `${database}/documents/${path}`, fields },
  }));
  for (let start = 0; start < writes.length; start += 500) {
    await client.commit({ database, writes: writes.slice(start, start + 500) as object[] }, AS_OWNER);
  }
}

/** Nothing is tried again by the client. */
const ONCE = { retry: null, retryRequestOptions: { retries: 0, noResponseRetries: 0 } } as object;

/** What makes an emulator leave its rules aside. */
export const AS_OWNER = { ...ONCE, otherArgs: { headers: { Authorization: 'Bearer owner' } } };

/** A client of the low-level interface, without credentials. */
export function clientOf(host: string): FirestoreClient {
  const [servicePath = '', port] = host.split(':');
  return new google.v1.FirestoreClient({
    servicePath,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    projectId: 'test',
    clientOptions: { universeDomain: 'googleapis.com' },
  });
}

/** A query of everything below the root, or of one collection group, in the order of names. */
export function everything(collectionId?: string): object {
  return {
    from: [{ ...(collectionId !== undefined && { collectionId }), allDescendants: true }],
    orderBy: [{ field: { fieldPath: '__name__' }, direction: 'ASCENDING' }],
  };
}

/** The paths below the root that a query gives. @throws whatever the server refuses with */
export async function pathsOf({ client, root }: TestFirestore, query: object, more: object = {}): Promise<string[]> {
  const paths: string[] = [];
  const stream = client.runQuery({ parent: root, structuredQuery: query, ...more }, AS_OWNER);
  for await (const { document } of stream) {
    if (document) paths.push(document.name.slice(root.length + 1));
  }
  return paths;
}
