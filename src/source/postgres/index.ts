export { postgresCredentials } from './credentials/index.ts';
export { postgresFailover } from './failover/index.ts';
export { postgresGate, postgresUsers } from './isolation/index.ts';
export { createPostgresSource, type PostgresSourceOptions } from './postgres-source.ts';
export { replicationPositions } from './replication-positions.ts';
export { slotName } from './wal/slot.ts';
