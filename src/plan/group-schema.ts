/** Sources that belong together: restored to one moment, and proven together. */
import { z } from 'zod';
import { parseDuration } from '../foundation/units.ts';
import { type TextOrReference, textOrReference } from './reference-schema.ts';
import { checkName, command } from './sources/common.ts';
import { duration, filled, identifier } from './values.ts';

/** A check with some keys and without others, as JSON Schema. */
function withKeys(required: readonly string[], refused: readonly string[]) {
  const properties = Object.fromEntries([...required.map((key) => [key, true]), ...refused.map((key) => [key, false])]);
  return { type: 'object', properties, required: [...required] };
}

const groupCheck = z
  .strictObject(
    {
      name: checkName,
      sql: z
        .strictObject(
          {
            source: identifier.meta({ description: 'The database that is asked.' }),
            query: textOrReference(filled('a query', 'A query whose first column names what must exist.')),
          },
          { error: () => 'a query such as { source: db, query: "select path from uploads" }' },
        )
        .meta({ description: 'What is asked, once it was restored: each value must exist.' })
        .optional(),
      existsIn: z
        .strictObject(
          {
            source: identifier.meta({ description: 'The files that must have what the query names.' }),
            path: textOrReference(
              filled('a path', 'The directory that the names are relative to; the path of the source when left out.'),
            ).optional(),
          },
          { error: () => 'where it must exist, such as { source: uploads }' },
        )
        .meta({ description: 'Where what the query names must exist.' })
        .optional(),
      exec: command.optional(),
    },
    {
      error: () =>
        'a check such as { name: uploads exist, sql: { source: db, query: "select …" }, existsIn: { source: uploads } }',
    },
  )
  .superRefine(({ sql, existsIn, exec }, context) => {
    const isQuery = sql !== undefined && existsIn !== undefined && exec === undefined;
    const isProgram = sql === undefined && existsIn === undefined && exec !== undefined;
    if (isQuery || isProgram) return;
    const message = 'a check of a group has either "sql" with "existsIn", or "exec"';
    context.addIssue({ code: 'custom', message, params: { message } });
  })
  .meta({ oneOf: [withKeys(['sql', 'existsIn'], ['exec']), withKeys(['exec'], ['sql', 'existsIn'])] });

const members = (description: string) =>
  z
    .array(identifier, { error: () => 'a list of sources' })
    .min(1, { error: () => 'at least one source' })
    .meta({ description });

export const group = z
  .strictObject(
    {
      sources: members('The sources that belong together.'),
      order: members('Which is restored first; those that are not named come last.').optional(),
      maxSkew: duration(
        'How far before the moment that was asked for the recovery point of each source may lie: more is said, and fails a proof.',
      ).optional(),
      validate: z
        .array(groupCheck, { error: () => 'a list of checks' })
        .default([])
        .meta({ description: 'What must hold between the sources once all of them are restored.' }),
    },
    { error: () => 'a group such as { sources: [db, uploads], order: [db, uploads] }' },
  )
  .meta({ description: 'Sources that are restored to one moment, and proven together.' });

/** A check that spans sources. */
export type GroupCheck =
  /** Each value of the first column that the query gives must be there among the files. */
  | {
      kind: 'exists';
      name: string;
      sql: { source: string; query: TextOrReference };
      existsIn: { source: string; path?: TextOrReference };
    }
  /** The program must exit 0. It finds each sandbox in its environment. */
  | { kind: 'exec'; name: string; exec: TextOrReference[] };

export interface Group {
  name: string;
  /** In the order of their importance. */
  sources: string[];
  maxSkewMs?: number;
  validate: GroupCheck[];
}

export function buildGroup(name: string, { sources, order = [], maxSkew, validate }: z.output<typeof group>): Group {
  const ordered = [...order, ...sources.filter((source) => !order.includes(source))];
  return {
    ...{ name, sources: [...new Set(ordered)], validate: validate.map(buildCheck) },
    ...(maxSkew !== undefined && { maxSkewMs: parseDuration(maxSkew)! }),
  };
}

function buildCheck({ name, sql, existsIn, exec }: z.output<typeof groupCheck>): GroupCheck {
  if (sql === undefined || existsIn === undefined) return { kind: 'exec', name, exec: exec ?? [] };
  const { source, path } = existsIn;
  return { kind: 'exists', name, sql, existsIn: { source, ...(path !== undefined && { path }) } };
}
