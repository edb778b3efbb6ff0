import { posix } from 'node:path';
import { z } from 'zod';
import { type TextOrReference, textOrReference } from '../reference-schema.ts';
import { filled, text } from '../values.ts';
import { buildCommandCheck, commandCheck, common, type SourceBase, validateDescription } from './common.ts';

export const files = z
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

export interface FilesSource extends SourceBase {
  type: 'files';
  /** Absolute, at least one. */
  paths: TextOrReference[];
  exclude: TextOrReference[];
}

export function buildFiles(source: z.output<typeof files>, base: Omit<SourceBase, 'validate'>): FilesSource {
  const { paths, exclude, validate } = source;
  return { ...base, type: 'files', paths: paths.map(cleanPath), exclude, validate: validate.map(buildCommandCheck) };
}

/** `/srv//uploads/` and `/srv/uploads` are one path. */
function cleanPath(path: TextOrReference): TextOrReference {
  if (typeof path !== 'string') return path;
  return posix.resolve(path);
}
