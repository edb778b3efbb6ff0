/** Where restores are proven: `sandboxes` of a plan. */
import { z } from 'zod';
import { parseDuration } from '../foundation/units.ts';
import { type TextOrReference, textOrReference } from './reference-schema.ts';
import { duration, filled, text } from './values.ts';

const local = z
  .strictObject({ type: z.literal('local') })
  .meta({ description: 'This machine: PostgreSQL, Redis and files.' });

/** By Firestore's rules for the ids of databases. */
const DATABASE_ID = /^[a-z][a-z0-9-]{2,61}[a-z0-9]$/;

const firestore = z
  .strictObject({
    type: z.literal('firestore'),
    project: textOrReference(
      filled('the id of a project', 'The Google Cloud project that databases are made in, and removed from again.'),
    ),
    database: textOrReference(
      text(
        'the id of a database such as restore-test',
        'The id of the database that is made; one of its own for each proof, when left out.',
        (value) => (DATABASE_ID.test(value) ? undefined : {}),
      ),
    ).optional(),
    location: filled(
      'a location such as nam5 or europe-west1',
      'Where databases are made: as the source, when left out.',
    ).optional(),
    keep: duration(
      'How long a database stays for somebody to look at. It is removed at once, when left out.',
    ).optional(),
  })
  .superRefine(({ database, keep }, context) => {
    if (database === undefined || keep === undefined) return;
    const message =
      'what is kept stands in the way of the next proof; leave "database" out, and each gets an id of its own';
    context.addIssue({ code: 'custom', path: ['keep'], message, params: { message } });
  })
  .meta({
    description: 'A database of Firestore that is made for a proof and removed after it.',
    oneOf: [
      { type: 'object', properties: { keep: false } },
      { type: 'object', properties: { keep: true, database: false }, required: ['keep'] },
    ],
  });

export const sandbox = z.discriminatedUnion('type', [local, firestore], {
  error: ({ input }) =>
    typeof input === 'object' && input !== null ? 'local or firestore' : 'a sandbox such as { type: local }',
});

/** A sandbox as the program works with it. */
export type Sandbox = LocalSandbox | FirestoreSandbox;

export interface LocalSandbox {
  type: 'local';
  name: string;
}

export interface FirestoreSandbox {
  type: 'firestore';
  name: string;
  project: TextOrReference;
  /** Without one each proof has a database of its own. */
  database?: TextOrReference;
  location?: string;
  /** Without it, a database is removed at once. */
  keepMs?: number;
}

export function buildSandbox(name: string, document: z.output<typeof sandbox>): Sandbox {
  if (document.type === 'local') return { name, type: 'local' };
  const { project, database, location, keep } = document;
  return {
    ...{ name, type: 'firestore', project },
    ...(database !== undefined && { database }),
    ...(location !== undefined && { location }),
    ...(keep !== undefined && { keepMs: parseDuration(keep)! }),
  };
}
