import { posix } from 'node:path';
import { z } from 'zod';
import { type TextOrReference, textOrReference } from '../reference-schema.ts';
import { text } from '../values.ts';
import { common, type DatabaseCheck, type SourceBase, validateDescription } from './common.ts';
import { buildDatabaseCheck, databaseCheck } from './postgres.ts';

export const sqlite = z
  .strictObject({
    type: z.literal('sqlite'),
    path: textOrReference(
      text('an absolute path', 'The file of the database, as an absolute path.', (value) =>
        value.startsWith('/') && !value.endsWith('/') && !value.includes('\0') ? undefined : {},
      ),
    ),
    ...common,
    validate: z
      .array(databaseCheck, { error: () => 'a list of checks' })
      .default([])
      .meta({ description: validateDescription }),
  })
  .meta({ description: 'A SQLite database, as one moment of it while programs go on writing.' });

export interface SqliteSource extends SourceBase {
  type: 'sqlite';
  validate: DatabaseCheck[];
  /** Absolute. */
  path: TextOrReference;
}

export function buildSqlite(source: z.output<typeof sqlite>, base: Omit<SourceBase, 'validate'>): SqliteSource {
  const { path, validate } = source;
  const clean = typeof path === 'string' ? posix.resolve(path) : path;
  return { ...base, type: 'sqlite', path: clean, validate: validate.map(buildDatabaseCheck) };
}
