import { z } from 'zod';
import { parseDuration } from '../../foundation/units.ts';
import { type TextOrReference, textOrReference } from '../reference-schema.ts';
import { duration, filled, identifier, text } from '../values.ts';
import { buildCapture, type Capture, capture } from './capture.ts';
import { checkName, command, common, type DatabaseCheck, type SourceBase, validateDescription } from './common.ts';

/** A check with the key `required` and without the keys `refused`, as JSON Schema. */
function kindOfCheck(required: string, refused: readonly string[]) {
  const properties = Object.fromEntries([[required, true], ...refused.map((key) => [key, false])]);
  return { type: 'object', properties, required: [required] };
}

/** Exactly one of sql and exec; said here once for the loader and once for the JSON Schema. */
export const databaseCheck = z
  .strictObject(
    {
      name: checkName,
      sql: textOrReference(
        filled('a query', 'A query with one value: true, or with "within", a time that close to the recovery point.'),
      ).optional(),
      within: duration('How close to the recovery point the time that the query gives must be.').optional(),
      exec: command.optional(),
    },
    { error: () => 'a check such as { name: customers exist, sql: "select …" }' },
  )
  .superRefine((check, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message, params: { message } });
    if ((check.sql === undefined) === (check.exec === undefined)) complain('a check has either "sql" or "exec"');
    else if (check.within !== undefined && check.sql === undefined) complain('"within" belongs to a check with "sql"');
  })
  .meta({ oneOf: [kindOfCheck('sql', ['exec']), kindOfCheck('exec', ['sql', 'within'])] });

/** A password in the user part of a URL or among its parameters. */
const INLINE_PASSWORD = /^[^/?#]*:\/\/[^/?@]*:[^@]+@|[?&](?:password|sslpassword)=[^&]/i;

const databaseUrl = (description: string) =>
  textOrReference(text('a URL such as postgres://user@host/database', description, judgeDatabaseUrl));

export const postgres = z
  .strictObject({
    type: z.literal('postgres'),
    url: databaseUrl('The URL of the database.'),
    method: z
      .enum(['logical', 'physical'], { error: () => 'logical or physical' })
      .default('logical')
      .meta({
        description:
          'How it is backed up. logical: one consistent dump of the database. physical: the whole cluster, as its data directory.',
      }),
    wal: z
      .literal('stream', { error: () => 'stream' })
      .optional()
      .meta({
        description:
          'stream: the log is captured continuously by `holdfast follow`, so that little is lost. With method: physical only.',
      }),
    capture: capture.optional(),
    standby: identifier
      .meta({
        description:
          'The standby, by its name in `standbys`, that backups and the log are taken from, to spare the server that `url` names. With method: physical only.',
      })
      .optional(),
    ...common,
    validate: z
      .array(databaseCheck, { error: () => 'a list of checks' })
      .default([])
      .meta({ description: validateDescription }),
  })
  .meta({ description: 'A PostgreSQL database.' });

export const standby = z
  .strictObject(
    {
      of: identifier.meta({ description: 'The source whose server it follows.' }),
      url: databaseUrl('The URL of the database on the standby.'),
    },
    { error: () => 'a standby such as { of: db, url: { env: STANDBY_URL } }' },
  )
  .meta({ description: 'A PostgreSQL server that follows the server of a source.' });

/** Those of a plan, by name. */
export type Standbys = Readonly<Record<string, z.output<typeof standby>>>;

function judgeDatabaseUrl(value: string) {
  if (INLINE_PASSWORD.test(value)) {
    return {
      message:
        'a password is never written in the plan; expected a reference to the whole URL such as { env: DATABASE_URL }',
    };
  }
  return /^postgres(?:ql)?:\/\//i.test(value) ? undefined : {};
}

export interface PostgresSource extends SourceBase {
  type: 'postgres';
  validate: DatabaseCheck[];
  url: TextOrReference;
  method: 'logical' | 'physical';
  /** Of method `physical`: the log is captured continuously. */
  wal?: 'stream';
  /** Of a source whose log is captured. */
  capture?: Capture;
  /** Of method `physical`: where backups and the log are taken from, instead of the server that `url` names. */
  standby?: Standby;
}

/** A server that follows that of a source. */
export interface Standby {
  name: string;
  url: TextOrReference;
}

export function buildPostgres(
  source: z.output<typeof postgres>,
  base: Omit<SourceBase, 'validate'>,
  standbys: Standbys,
): PostgresSource {
  return {
    ...base,
    type: 'postgres',
    url: source.url,
    method: source.method,
    ...(source.wal === undefined ? {} : { wal: source.wal }),
    ...(source.capture === undefined ? {} : { capture: buildCapture(source.capture) }),
    ...standbyOf(source.standby, standbys),
    validate: source.validate.map(buildDatabaseCheck),
  };
}

function standbyOf(name: string | undefined, standbys: Standbys): { standby?: Standby } {
  const standby = name === undefined ? undefined : standbys[name];
  return standby === undefined ? {} : { standby: { name: name!, url: standby.url } };
}

export function buildDatabaseCheck(check: z.output<typeof databaseCheck>): DatabaseCheck {
  if (check.sql === undefined) {
    return { kind: 'exec', name: check.name, exec: check.exec ?? [] };
  }
  if (check.within === undefined) return { kind: 'sql', name: check.name, sql: check.sql };
  return { kind: 'sql-within', name: check.name, sql: check.sql, withinMs: parseDuration(check.within) ?? 0 };
}
