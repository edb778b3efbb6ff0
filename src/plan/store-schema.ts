import { z } from 'zod';
import { textOrReference } from './reference-schema.ts';
import { type Complaint, filled, text } from './values.ts';

/** Classes whose objects cannot be read until they have been asked for, hours before. */
const OFFLINE_CLASSES = ['GLACIER', 'DEEP_ARCHIVE'];

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

export const storageClass = text(
  'a storage class such as STANDARD_IA',
  'The storage class of the packs of a store at s3://.',
  (value) => {
    if (!/^[A-Z][A-Z0-9_-]*$/.test(value)) return {};
    if (!OFFLINE_CLASSES.includes(value)) return undefined;
    return {
      message: `what lies in ${value} cannot be read at once, as a repository must; expected STANDARD_IA or GLACIER_IR, say`,
    };
  },
);

function judgeEndpoint(value: string): Complaint | undefined {
  if (!URL.canParse(value)) return {};
  const { protocol, username, password, search, hash } = new URL(value);
  if (username !== '' || password !== '') return { message: 'credentials are never written in the plan' };
  return /^https?:$/.test(protocol) && search === '' && hash === '' ? undefined : {};
}
