/**
 * `npm run foreign -- DIRECTORY [--schedule FILE] [--set NAME=VALUE …]`: loads the SQL files of a directory into a database,
 * as psql does, and sees whether all that came of them survives a capture and a restore.
 *
 * PostgreSQL's own regression tests, from an unpacked and configured source with `regress.so` built in src/test/regress:
 *
 *     npm run foreign -- src/test/regress/sql --schedule src/test/regress/parallel_schedule \
 *       --set PG_ABS_SRCDIR=$PWD/src/test/regress --set PG_LIBDIR=$PWD/src/test/regress --set PG_DLSUFFIX=.so
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startTestServer } from '../support/postgres.ts';
import { roundTrip, runFiles, scheduledFiles } from './foreign-schema.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    schedule: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const [directory] = positionals;
if (directory === undefined) throw new Error('name a directory of SQL files');
const names =
  values.schedule === undefined
    ? readdirSync(directory)
        .filter((name) => name.endsWith('.sql'))
        .sort()
    : scheduledFiles(readFileSync(values.schedule, 'utf8'));
const settings = Object.fromEntries(
  values.set.map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]),
);
// As PostgreSQL's own tests are run.
const usual = { PGTZ: 'PST8PDT', PGDATESTYLE: 'Postgres, MDY', PGOPTIONS: '-c intervalstyle=postgres_verbose' };

const server = await startTestServer({ settings: { wal_level: 'logical', max_prepared_transactions: 2 } });
const other = await startTestServer({ settings: { wal_level: 'logical' } });
try {
  const url = await server.createDatabase('regression', 'TEMPLATE template0');
  const files = names.map((name) => resolve(directory, name));
  const failed = await runFiles(url, files, {
    environment: { ...usual, ...settings },
    directory: dirname(resolve(directory)),
  });
  console.log(`${files.length} files, ${failed.length} statements failed, as many of such tests do`);
  const { tables, rows, differences, notes, textLines } = await roundTrip(url, other, 'regression');
  console.log(`${tables} tables with ${rows.toLocaleString('en')} rows were captured, restored and compared`);
  for (const note of notes) console.log(`note: ${note}`);
  console.log(`${differences.length} differences`);
  for (const difference of differences) console.log(`  ${difference}`);
  console.log(`${textLines.length} lines of pg_dump's text differ from a copy that stock pg_dump and pg_restore made`);
  for (const line of textLines) console.log(`  ${line}`);
  process.exitCode = differences.length + textLines.length === 0 ? 0 : 1;
} finally {
  await server.stop();
  await other.stop();
}
