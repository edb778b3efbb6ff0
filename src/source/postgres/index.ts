export { createPostgresSource, type PostgresSourceOptions } from './postgres-source.ts';
