/** What the services of the Firestore server share. */

import type { ServiceDefinition } from '@grpc/grpc-js';
import type { FirestoreDatabase } from './firestore-server-database.ts';
import type { Methods } from './firestore-server-protos.ts';

export interface FirestoreServerOptions {
  /** Names of databases there are: `projects/P/databases/D`. */
  databases: string[];
  /** Whether queries without a collection's name may be partitioned. The documentation says that they may not. */
  kindlessPartitions?: boolean;
  /** Whether queries without a collection's name are answered at all. */
  kindlessQueries?: boolean;
  /** As many documents make a partition at least. */
  documentsPerPartition?: number;
}

export interface ServerState {
  readonly options: Required<FirestoreServerOptions>;
  /** By name. */
  readonly databases: Map<string, FirestoreDatabase>;
  readonly nowMicros: () => number;
  createDatabase(name: string): FirestoreDatabase;
  /** @throws Refusal where there is no such database */
  databaseOf(resource: string): FirestoreDatabase;
  addService(definition: ServiceDefinition, methods: Methods): void;
}
