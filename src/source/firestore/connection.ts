import firestore, { type v1 } from '@google-cloud/firestore';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import type { FirestoreDatabase } from '../../foundation/firestore-database.ts';
import { databaseName } from './codec/names.ts';

export type FirestoreClient = InstanceType<typeof v1.FirestoreClient>;
export type FirestoreAdminClient = InstanceType<typeof v1.FirestoreAdminClient>;

/** A database, and the low-level client of its interface. */
export interface FirestoreConnection extends AsyncDisposable {
  client: FirestoreClient;
  /** `projects/P/databases/D` */
  database: string;
  /** What a call is made with: another object each time. */
  callOptions: CallOptions;
}

export interface CallOptions {
  otherArgs?: { headers: Record<string, string> };
}

/** Where the interface is, where that is not Google's: the host and port of an emulator. */
export interface FirestoreEndpoint {
  /** `localhost:8080` */
  emulator?: string | undefined;
}

/**
 * An emulator leaves its rules aside for its owner. New for each use: the client writes into them where the call goes, and
 * what another one reads meanwhile would go there too.
 */
function callOptionsOf({ emulator }: FirestoreEndpoint): CallOptions {
  return emulator === undefined ? {} : { otherArgs: { headers: { Authorization: 'Bearer owner' } } };
}

/** Nothing is asked of the server yet. Credentials are found as Google's libraries find them. */
export function openFirestore(
  { project, database }: FirestoreDatabase,
  endpoint: FirestoreEndpoint,
): FirestoreConnection {
  const client = new firestore.v1.FirestoreClient(clientOptions(project, endpoint));
  return {
    client,
    database: databaseName(project, database),
    get callOptions() {
      return callOptionsOf(endpoint);
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** The same for the interface that makes and removes databases. */
export function openFirestoreAdmin(
  project: string,
  endpoint: FirestoreEndpoint,
): { client: FirestoreAdminClient; callOptions: CallOptions } & AsyncDisposable {
  const client = new firestore.v1.FirestoreAdminClient(clientOptions(project, endpoint));
  return {
    client,
    get callOptions() {
      return callOptionsOf(endpoint);
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

function clientOptions(projectId: string, { emulator }: FirestoreEndpoint): ClientOptions {
  if (emulator === undefined) return { projectId };
  const { hostname, port } = new URL(`http://${emulator}`);
  return {
    projectId,
    servicePath: hostname,
    port: Number(port || 80),
    sslCreds: credentials.createInsecure(),
    // Else credentials are looked for, in the network too, only to see whose they are.
    clientOptions: { universeDomain: 'googleapis.com' },
  };
}

/** A type, and not an interface, since the client asks for an index signature. */
type ClientOptions = {
  projectId: string;
  servicePath?: string;
  port?: number;
  sslCreds?: ChannelCredentials;
  clientOptions?: { universeDomain: string };
};
