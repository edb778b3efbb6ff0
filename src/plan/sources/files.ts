import { posix } from 'node:path';
import { z } from 'zod';
import { type TextOrReference, textOrReference } from '../reference-schema.ts';
import { parseStore } from '../store.ts';
import { gcs, s3 } from '../store-schema.ts';
import { absolutePath, filled, text } from '../values.ts';
import { buildCommandCheck, commandCheck, common, type SourceBase, validateDescription } from './common.ts';

export const files = z
  .strictObject({
    type: z.literal('files'),
    paths: z
      .array(textOrReference(absolutePath('An absolute path.')), { error: () => 'a list of absolute paths' })
      .min(1, { error: () => 'at least one absolute path' })
      .meta({ description: 'The directories and files to protect.' })
      .optional(),
    bucket: textOrReference(
      text('s3://bucket/prefix or gs://bucket/prefix', 'Instead of paths: the objects in a bucket.', judgeBucket),
    ).optional(),
    s3: s3.optional(),
    gcs: gcs.optional(),
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
  .meta({ description: 'Directories and files with their metadata, or the objects in a bucket.' });

function judgeBucket(value: string) {
  if (!/^(?:s3|gs):/i.test(value)) return {};
  const place = parseStore(value, '/');
  return 'problem' in place ? { message: place.problem } : undefined;
}

export interface FilesSource extends SourceBase {
  type: 'files';
  /** Absolute, at least one; none where it is a bucket. */
  paths: TextOrReference[];
  exclude: TextOrReference[];
  /** The objects in a bucket, and how its server is reached. */
  bucket?: BucketPlan;
}

/** Where a bucket is, as the stores of repositories have it. */
export interface BucketPlan {
  store: TextOrReference;
  s3: { region?: TextOrReference; endpoint?: TextOrReference; pathStyle: boolean };
  gcs: { endpoint?: TextOrReference; userProject?: TextOrReference };
}

export function buildFiles(source: z.output<typeof files>, base: Omit<SourceBase, 'validate'>): FilesSource {
  const { paths = [], exclude, validate } = source;
  return {
    ...{ ...base, type: 'files', paths: paths.map(cleanPath), exclude, validate: validate.map(buildCommandCheck) },
    ...(source.bucket !== undefined && { bucket: buildBucket(source.bucket, source) }),
  };
}

/** What is about storing objects is of no use to who only reads them. */
function buildBucket(store: TextOrReference, { s3 = {}, gcs = {} }: z.output<typeof files>): BucketPlan {
  const { region, endpoint, pathStyle = endpoint !== undefined } = s3;
  const { userProject } = gcs;
  return {
    store,
    s3: { pathStyle, ...(region !== undefined && { region }), ...(endpoint !== undefined && { endpoint }) },
    gcs: {
      ...(gcs.endpoint !== undefined && { endpoint: gcs.endpoint }),
      ...(userProject !== undefined && { userProject }),
    },
  };
}

/** `/srv//uploads/` and `/srv/uploads` are one path. */
function cleanPath(path: TextOrReference): TextOrReference {
  if (typeof path !== 'string') return path;
  return posix.resolve(path);
}
