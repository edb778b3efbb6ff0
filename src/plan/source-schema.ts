import { z } from 'zod';
import { textOrReference } from './reference-schema.ts';
import { retention } from './retention-schema.ts';
import { duration, filled, identifier, objective, schedule, text } from './values.ts';

export const objectives = z
  .strictObject(
    {
      rpo: objective(
        'Recovery point objective: how much may be lost, as the age of the newest recovery point.',
      ).optional(),
      rto: objective('Recovery time objective: how long until it is back.').optional(),
      proof: objective('How old the newest proven recovery point may be.').optional(),
    },
    { error: () => 'objectives such as { rpo: 1h, rto: 4h }' },
  )
  .meta({ description: 'What is promised. The objectives of a source come before those of the plan.' });

const checkName = filled('a name', 'What the check is called in reports.');

const command = z
  .array(textOrReference(filled('a word of the command', 'A word of the command.')), {
    error: () => 'a list of the program and its arguments',
  })
  .min(1, { error: () => 'a list of the program and its arguments' })
  .meta({ description: 'A program and its arguments; it must exit 0. No shell reads them.' });

/** A check with the key `required` and without the keys `refused`, as JSON Schema. */
function kindOfCheck(required: string, refused: readonly string[]) {
  const properties = Object.fromEntries([[required, true], ...refused.map((key) => [key, false])]);
  return { type: 'object', properties, required: [required] };
}

/** Exactly one of sql and exec; said here once for the loader and once for the JSON Schema. */
const databaseCheck = z
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

const commandCheck = z.strictObject(
  { name: checkName, exec: command },
  { error: () => 'a check such as { name: page loads, exec: [./check-page] }' },
);

const validateDescription = 'What must hold for a restored copy before it counts as proven.';

const common = {
  schedule: schedule.optional(),
  retention: retention.optional(),
  objectives: objectives.default({}),
  repository: identifier
    .meta({ description: 'The repository to keep it in; may be left out when there is one.' })
    .optional(),
};

/** A password in the user part of a URL or among its parameters. */
const INLINE_PASSWORD = /^[^/?#]*:\/\/[^/?@]*:[^@]+@|[?&](?:password|sslpassword)=[^&]/i;

const databaseUrl = (description: string) =>
  textOrReference(text('a URL such as postgres://user@host/database', description, judgeDatabaseUrl));

const postgres = z
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

function judgeDatabaseUrl(value: string) {
  if (INLINE_PASSWORD.test(value)) {
    return {
      message:
        'a password is never written in the plan; expected a reference to the whole URL such as { env: DATABASE_URL }',
    };
  }
  return /^postgres(?:ql)?:\/\//i.test(value) ? undefined : {};
}

const files = z
  .strictObject({
    type: z.literal('files'),
    paths: z
      .array(
        textOrReference(
          text('an absolute path', 'An absolute path.', (value) =>
            value.startsWith('/') && !value.includes('\0') ? undefined : {},
          ),
        ),
        { error: () => 'a list of absolute paths' },
      )
      .min(1, { error: () => 'at least one absolute path' })
      .meta({ description: 'The directories and files to protect.' }),
    exclude: z
      .array(textOrReference(filled('a pattern such as "*.tmp"', 'A pattern such as "*.tmp".')), {
        error: () => 'a list of patterns',
      })
      .default([])
      .meta({ description: 'Patterns of what to leave out.' }),
    ...common,
    validate: z
      .array(commandCheck, { error: () => 'a list of checks' })
      .default([])
      .meta({ description: validateDescription }),
  })
  .meta({ description: 'Directories and files with their metadata.' });

export const source = z.discriminatedUnion('type', [postgres, files], {
  error: ({ input }) =>
    typeof input === 'object' && input !== null
      ? SOURCE_TYPES.join(' or ')
      : 'a source such as { type: files, paths: [/srv/uploads] }',
});

export const SOURCE_TYPES = ['postgres', 'files'] as const;

export type SourceDocument = z.output<typeof source>;
