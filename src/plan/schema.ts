/**
 * The plan's schema: the one definition from which the loader's checks, the types, the defaults that are filled in and
 * the JSON Schema come. It describes what an author writes; `view.ts` turns that into what the program works with.
 */
import { z } from 'zod';
import { isTimezone } from '../schedule/index.ts';
import { nearestName } from './names.ts';
import { reference, textOrReference } from './reference-schema.ts';
import { objectives, source, standby } from './source-schema.ts';
import { parseStore } from './store.ts';
import { type Complaint, identifier, percentage, size, text } from './values.ts';

const capacity = z
  .strictObject(
    {
      of: size('How much the repository may take: what the place offers, or what may be spent.'),
      warnAt: percentage('From which share of that `status` warns.').default('80%'),
    },
    { error: () => 'a size with the share to warn at, such as { warnAt: 80%, of: 5TB }' },
  )
  .meta({ description: 'How much the repository may take, and when to warn.' });

const limits = z
  .strictObject(
    {
      upload: size('Bytes a second that are written at most, on average.').optional(),
      download: size('Bytes a second that are read at most, on average.').optional(),
    },
    { error: () => 'rates a second, such as { upload: 20MB, download: 50MB }' },
  )
  .meta({ description: 'How fast the repository may be written and read, each command by itself.' });

const price = (what: string) =>
  z
    .number({ error: () => 'a price, as a number' })
    .nonnegative({ error: () => 'a price that is not negative' })
    .meta({ description: `The price of ${what}.` })
    .optional();

const prices = z
  .strictObject(
    {
      writes: price('1,000 requests that write or list'),
      reads: price('1,000 requests that read or look up'),
      download: price('1 GB that is read'),
    },
    { error: () => 'prices, such as { writes: 0.005, reads: 0.0004, download: 0.09 }' },
  )
  .meta({ description: 'Prices for the estimate of what a command cost; those of Amazon S3 where left out.' });

const repository = z
  .strictObject({
    store: textOrReference(
      text(
        'a path or a file:// URL',
        'Where the objects lie: a path (relative to the plan) or a file:// URL.',
        (value) => {
          const place = parseStore(value, '/');
          return 'problem' in place ? { message: place.problem } : undefined;
        },
      ),
    ),
    password: reference.meta({
      description:
        'The password of the repository, as a reference: { env: NAME }, { file: PATH } or { command: [..] }.',
    }),
    capacity: capacity.optional(),
    limits: limits.optional(),
    prices: prices.optional(),
  })
  .meta({ description: 'An encrypted, deduplicated restic repository.' });

function judgeTimezone(value: string): Complaint | undefined {
  if (isTimezone(value)) return undefined;
  const nearest = nearestName(value, Intl.supportedValuesOf('timeZone'));
  return nearest === undefined ? {} : { nearest };
}

export const planSchema = z
  .strictObject({
    version: z.literal(1, { error: () => '1' }).meta({ description: 'The version of the format of this file.' }),
    name: identifier.meta({ description: 'The name of what is protected; snapshots carry it as their host.' }),
    timezone: text(
      'the name of a time zone such as UTC or Europe/Berlin',
      'The time zone that schedules are read in.',
      judgeTimezone,
    ).default('UTC'),
    objectives: objectives.default({}),
    repositories: z
      .record(identifier, repository, { error: () => 'repositories by name' })
      .meta({ description: 'Where backups are kept, by name.' }),
    sources: z
      .record(identifier, source, { error: () => 'sources by name' })
      .meta({ description: 'What is protected, by name.' }),
    standbys: z
      .record(identifier, standby, { error: () => 'standbys by name' })
      .meta({ description: 'Servers that follow those of the sources, by name.' })
      .optional(),
  })
  .meta({
    title: 'Holdfast plan',
    description: 'What must survive, how much may be lost, and how fast it must be back.',
  });

/** A plan as its author writes it. */
export type PlanInput = z.input<typeof planSchema>;
/** A plan as written, with the defaults of single keys filled in. */
export type PlanDocument = z.output<typeof planSchema>;
export type RepositoryDocument = z.output<typeof repository>;
