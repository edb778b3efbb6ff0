import { z } from 'zod';
import { type TextOrReference, textOrReference } from '../reference-schema.ts';
import { filled, text } from '../values.ts';
import {
  buildCommandCheck,
  checkName,
  command,
  common,
  type SourceBase,
  type ValidateCheck,
  validateDescription,
} from './common.ts';

const COLLECTION_NOTATION = 'the name of a collection such as companies';
const NESTED_NOTATION = 'a collection such as companies or companies/*/deals';

const collection = text(COLLECTION_NOTATION, 'A collection at the top of the database.', (value) =>
  /^[^/]+$/.test(value) && value !== '.' && value !== '..' ? undefined : {},
);

const nestedCollection = text(
  NESTED_NOTATION,
  'The collection that is counted: of one below documents, as companies/*/deals.',
  (value) => (/^[^/]+(?:\/\*\/[^/]+)*$/.test(value) ? undefined : {}),
);

const wholeNumber = (description: string, atLeast = 0) =>
  z
    .int({ error: () => 'a whole number' })
    .min(atLeast, { error: () => `a whole number of at least ${atLeast}` })
    .meta({ description });

const money = (description: string) =>
  z
    .number({ error: () => 'an amount of money such as 2.50' })
    .nonnegative({ error: () => 'an amount of money such as 2.50' })
    .meta({ description });

const count = z
  .strictObject(
    {
      atLeast: wholeNumber('As many documents there must be at least.').optional(),
      atMost: wholeNumber('As many documents there may be at most.').optional(),
    },
    { error: () => 'a count such as { atLeast: 1 }' },
  )
  .superRefine(({ atLeast, atMost }, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message, params: { message } });
    if (atLeast === undefined && atMost === undefined) complain('a count has "atLeast", "atMost" or both');
    else if (atLeast !== undefined && atMost !== undefined && atLeast > atMost) {
      complain('"atLeast" is more than "atMost": no count can be both');
    }
  })
  .meta({ description: 'How many documents the collection must have.', minProperties: 1 });

const documentsCheck = z
  .strictObject(
    {
      name: checkName,
      collection: nestedCollection.optional(),
      count: count.optional(),
      exec: command.optional(),
    },
    { error: () => 'a check such as { name: companies, collection: companies, count: { atLeast: 1 } }' },
  )
  .superRefine((check, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message, params: { message } });
    const isCount = check.collection !== undefined || check.count !== undefined;
    if (isCount === (check.exec !== undefined)) complain('a check has either "collection" with "count", or "exec"');
    else if (isCount && (check.collection === undefined || check.count === undefined)) {
      complain('"collection" and "count" belong together');
    }
  })
  .meta({
    oneOf: [
      { type: 'object', properties: { exec: false }, required: ['collection', 'count'] },
      { type: 'object', properties: { collection: false, count: false }, required: ['exec'] },
    ],
  });

export const firestore = z
  .strictObject({
    type: z.literal('firestore'),
    project: textOrReference(filled('the id of a project', "The Google Cloud project's id.")),
    database: textOrReference(filled('the id of a database', 'The id of the database in the project.')).default(
      '(default)',
    ),
    emulator: textOrReference(
      text(
        'a host and port such as localhost:8080',
        'Where the emulator listens, instead of Google: host and port.',
        (value) => (/^[^\s/:]+:\d+$/.test(value) ? undefined : {}),
      ),
    ).optional(),
    collections: z
      .array(collection, { error: () => 'a list of collections' })
      .min(1, { error: () => 'at least one collection' })
      .optional()
      .meta({ description: 'The collections to protect, with everything below their documents. All, when left out.' }),
    method: z
      .enum(['documents', 'managed'], { error: () => 'documents or managed' })
      .default('documents')
      .meta({
        description:
          "How it is backed up. documents: every document is read and kept in the repository. managed: by Google's own export, which lies in `bucket` and not in the repository.",
      }),
    bucket: textOrReference(
      text(
        'a place in Cloud Storage such as gs://omni-exports/crm',
        'Where exports go, with method: managed; each into a folder of its own below it.',
        (value) => (/^gs:\/\/[a-z0-9][\w.-]+[a-z0-9](?:\/[^\s/]+)*\/?$/.test(value) ? undefined : {}),
      ),
    ).optional(),
    budget: z
      .strictObject(
        {
          reads: wholeNumber('As many documents a backup may read at most.', 1).optional(),
          cost: money('A backup may cost as much at most, by the prices.').optional(),
        },
        { error: () => 'a budget such as { reads: 5000000 } or { cost: 3 }' },
      )
      .optional()
      .meta({ description: 'What a backup may take at most. One that would take more is refused before it begins.' }),
    prices: z
      .strictObject(
        {
          reads: money('Of 100,000 documents read.').optional(),
          writes: money('Of 100,000 documents written.').optional(),
          deletes: money('Of 100,000 documents deleted.').optional(),
        },
        { error: () => 'prices such as { reads: 0.06, writes: 0.18, deletes: 0.02 }' },
      )
      .default({})
      .meta({
        description:
          "Of 100,000 operations each, in the currency of your bill. Google's list prices of a multi-region, when left out.",
      }),
    ...common,
    validate: z
      .array(documentsCheck, { error: () => 'a list of checks' })
      .default([])
      .meta({ description: validateDescription }),
  })
  .superRefine(({ method, bucket, validate }, context) => {
    const complain = (path: PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path, message, params: { message } });
    if (method !== 'managed') {
      if (bucket !== undefined) complain(['bucket'], 'a bucket is for method: managed');
      return;
    }
    if (bucket === undefined) complain(['method'], 'with managed, "bucket" says where exports go');
    for (const [at, check] of validate.entries()) {
      if (check.collection?.includes('/') !== true) continue;
      complain(
        ['validate', at, 'collection'],
        'with method: managed, documents are counted by the name of their collection alone',
      );
    }
  })
  .meta({ description: 'A Firestore database in native mode.' });

/** What 100,000 operations of each kind cost. */
export interface FirestorePrices {
  reads: number;
  writes: number;
  deletes: number;
}

/**
 * In dollars, of a multi-region; a single region costs less. Source: Google Cloud, "Firestore pricing"; see docs/firestore.md.
 */
const LIST_PRICES: FirestorePrices = { reads: 0.06, writes: 0.18, deletes: 0.02 };

export interface FirestoreSource extends SourceBase {
  type: 'firestore';
  project: TextOrReference;
  database: TextOrReference;
  /** Host and port, where it is not Google's. */
  emulator?: TextOrReference;
  /** At the top of the database; undefined for all. */
  collections?: string[];
  method: 'documents' | 'managed';
  /** `gs://BUCKET/PREFIX`: where exports go, with `managed`. */
  bucket?: TextOrReference;
  budget: { reads?: number; cost?: number };
  prices: FirestorePrices;
}

export function buildFirestore(
  source: z.output<typeof firestore>,
  base: Omit<SourceBase, 'validate'>,
): FirestoreSource {
  const { project, database, emulator, collections, method, bucket, budget = {}, prices, validate } = source;
  return {
    ...base,
    type: 'firestore',
    project,
    database,
    ...(emulator !== undefined && { emulator }),
    ...(collections !== undefined && { collections: [...new Set(collections)] }),
    method,
    ...(bucket !== undefined && { bucket }),
    budget: {
      ...(budget.reads !== undefined && { reads: budget.reads }),
      ...(budget.cost !== undefined && { cost: budget.cost }),
    },
    prices: {
      reads: prices.reads ?? LIST_PRICES.reads,
      writes: prices.writes ?? LIST_PRICES.writes,
      deletes: prices.deletes ?? LIST_PRICES.deletes,
    },
    validate: validate.map(buildCheck),
  };
}

function buildCheck({
  name,
  collection: counted,
  count: bounds,
  exec,
}: z.output<typeof documentsCheck>): ValidateCheck {
  if (counted === undefined) return buildCommandCheck({ name, exec: exec ?? [] });
  return {
    kind: 'count',
    name,
    collection: counted,
    ...(bounds?.atLeast !== undefined && { atLeast: bounds.atLeast }),
    ...(bounds?.atMost !== undefined && { atMost: bounds.atMost }),
  };
}
