export { createPostgresSource, type PostgresSourceOptions } from './postgres-source.ts';
export { slotName } from './wal/slot.ts';
