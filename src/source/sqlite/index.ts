export { createSqliteSource, type SqliteSourceOptions } from './sqlite-source.ts';
