import { z } from 'zod';
import { parseDuration } from '../foundation/units.ts';
import { textOrReference } from './reference-schema.ts';
import { type Complaint, duration, filled, percentage, size, text } from './values.ts';

/** Extended when half of it is left, by backups that may be a day apart. */
const SHORTEST_LOCK_MS = 2 * 24 * 60 * 60_000;

/** Classes whose objects cannot be read until they have been asked for, hours before. */
const OFFLINE_CLASSES = ['GLACIER', 'DEEP_ARCHIVE'];
/** Those of Google Cloud Storage, from all of which objects are read at once. */
export const GCS_CLASSES = ['STANDARD', 'NEARLINE', 'COLDLINE', 'ARCHIVE'];
const KMS_KEY_NAME = /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/;

/** Whether what lies in a storage class must be asked for, hours before it is read. */
export function isOfflineClass(storageClass: unknown): boolean {
  return typeof storageClass === 'string' && OFFLINE_CLASSES.includes(storageClass);
}

export const s3 = z
  .strictObject(
    {
      region: textOrReference(
        filled('a region such as eu-central-1', "The region of the bucket; without it, the one that AWS's tools take."),
      ).optional(),
      endpoint: textOrReference(
        text(
          'a URL such as https://s3.example.com',
          "The URL of a server that speaks S3; without it, Amazon's own.",
          judgeEndpoint,
        ),
      ).optional(),
      pathStyle: z
        .boolean({ error: () => 'true or false' })
        .optional()
        .meta({
          description:
            'Whether the bucket is named in the path and not in the host; by default where an endpoint is given.',
        }),
      serverSideEncryption: z
        .enum(['AES256', 'aws:kms'], { error: () => 'AES256 or aws:kms' })
        .optional()
        .meta({ description: "What the server encrypts objects with, besides Holdfast's own encryption." }),
      kmsKeyId: textOrReference(filled('the id of a key', 'The key of aws:kms, by its id or ARN.')).optional(),
    },
    { error: () => 'options such as { region: eu-central-1 }' },
  )
  .meta({ description: "How a store at s3:// is reached. Credentials come from where AWS's tools take them." });

export const gcs = z
  .strictObject(
    {
      endpoint: textOrReference(
        text(
          'a URL such as https://storage.example.com',
          "The URL of the service; without it, Google's own, or that of STORAGE_EMULATOR_HOST.",
          judgeEndpoint,
        ),
      ).optional(),
      project: textOrReference(
        filled(
          'the id of a project',
          'The project that `init` makes the bucket in; without it, that of the credentials.',
        ),
      ).optional(),
      location: textOrReference(
        filled(
          'a location such as EU or europe-west3',
          'Where `init` makes the bucket; without it, where Google does.',
        ),
      ).optional(),
      userProject: textOrReference(
        filled('the id of a project', 'The project that pays, where the requester does.'),
      ).optional(),
      kmsKeyName: textOrReference(
        text(
          'the name of a key: projects/…/locations/…/keyRings/…/cryptoKeys/…',
          "The key that Google encrypts objects with, besides Holdfast's own encryption.",
          (value) => (KMS_KEY_NAME.test(value) ? undefined : {}),
        ),
      ).optional(),
    },
    { error: () => 'options such as { location: EU }' },
  )
  .meta({ description: "How a store at gs:// is reached. Credentials come from where Google's tools take them." });

export const storageClass = text(
  'a storage class such as STANDARD_IA or COLDLINE',
  'The storage class of the packs with the content of files, of a store at s3:// or gs://. All else stays on the usual one.',
  (value) => (/^[A-Z][A-Z0-9_-]*$/.test(value) ? undefined : {}),
);

export const capacity = z
  .strictObject(
    {
      of: size('How much the repository may take: what the place offers, or what may be spent.'),
      warnAt: percentage('From which share of that `status` warns.').default('80%'),
    },
    { error: () => 'a size with the share to warn at, such as { warnAt: 80%, of: 5TB }' },
  )
  .meta({ description: 'How much the repository may take, and when to warn.' });

export const lock = z
  .strictObject(
    {
      mode: z
        .enum(['governance', 'compliance'], { error: () => 'governance or compliance' })
        .meta({ description: 'Who can lift a lock before its time: who has a permission of its own, or nobody.' }),
      for: duration('How long an object is locked each time; it is extended for as long as a snapshot needs it.'),
    },
    { error: () => 'a mode and a time, such as { mode: governance, for: 30d }' },
  )
  .superRefine(({ for: period }, context) => {
    const ms = parseDuration(period);
    if (ms === undefined || ms >= SHORTEST_LOCK_MS) return;
    const message = 'it would run out before it is extended; expected at least 2d';
    context.addIssue({ code: 'custom', path: ['for'], message, params: { message } });
  })
  .meta({ description: 'Locks the objects of the repository, so that nobody can remove or replace them.' });

export const limits = z
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

export const prices = z
  .strictObject(
    {
      writes: price('1,000 requests that write or list'),
      reads: price('1,000 requests that read or look up'),
      download: price('1 GB that is read'),
    },
    { error: () => 'prices, such as { writes: 0.005, reads: 0.0004, download: 0.09 }' },
  )
  .meta({ description: 'Prices for the estimate of what a command cost; those of Amazon S3 where left out.' });

function judgeEndpoint(value: string): Complaint | undefined {
  if (!URL.canParse(value)) return {};
  const { protocol, username, password, search, hash } = new URL(value);
  if (username !== '' || password !== '') return { message: 'credentials are never written in the plan' };
  return /^https?:$/.test(protocol) && search === '' && hash === '' ? undefined : {};
}
