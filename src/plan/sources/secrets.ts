import { posix } from 'node:path';
import { z } from 'zod';
import { type TextOrReference, textOrReference } from '../reference-schema.ts';
import { absolutePath, filled, text } from '../values.ts';
import {
  buildCommandCheck,
  commandCheck,
  common,
  type SourceBase,
  type ValidateCheck,
  validateDescription,
} from './common.ts';

const FROM_NOTATION = 'where the secrets lie, such as { gcp: { project: omni } } or { files: [/etc/omni/env] }';

const named = (expected: string, pattern: RegExp) =>
  text(expected, `${expected[0]!.toUpperCase()}${expected.slice(1)}.`, (value) =>
    pattern.test(value) ? undefined : {},
  );

const secretManager = z
  .strictObject(
    {
      project: textOrReference(filled('the id of a project', 'The id of the project.')),
      location: filled('a region such as europe-west3', 'The region of secrets that are kept in one alone.').optional(),
      names: z
        .array(named('the name of a secret', /^[A-Za-z0-9_-]{1,255}$/), { error: () => 'a list of names' })
        .min(1, { error: () => 'at least one name' })
        .meta({ description: 'The secrets that are wanted; all, when left out.' })
        .optional(),
      filter: filled(
        'a filter such as labels.app=omni',
        "Which secrets are wanted, in Secret Manager's own notation for filters.",
      ).optional(),
    },
    { error: () => 'a project such as { project: omni }' },
  )
  .superRefine(({ names, filter }, context) => {
    if (names === undefined || filter === undefined) return;
    const message = '"names" and "filter" exclude each other';
    context.addIssue({ code: 'custom', path: ['filter'], message, params: { message } });
  })
  .meta({ description: "Google's Secret Manager: every version that is enabled, with what is set of each secret." });

const from = z
  .strictObject(
    {
      gcp: secretManager.optional(),
      files: z
        .array(textOrReference(absolutePath('The absolute path of a file.')), {
          error: () => 'a list of absolute paths',
        })
        .min(1, { error: () => 'at least one absolute path' })
        .meta({ description: 'Files with secrets, such as environment files.' })
        .optional(),
      directory: textOrReference(absolutePath('A directory of secrets, with all that is in it.')).optional(),
      env: z
        .array(named('the name of an environment variable', /^[A-Za-z_][A-Za-z0-9_]*$/), {
          error: () => 'a list of names of environment variables',
        })
        .min(1, { error: () => 'at least one name' })
        .meta({ description: 'Variables of the environment that backups run in.' })
        .optional(),
    },
    { error: () => FROM_NOTATION },
  )
  .superRefine((value, context) => {
    if (Object.values(value).some((part) => part !== undefined)) return;
    context.addIssue({ code: 'custom', message: FROM_NOTATION, params: { message: `expected ${FROM_NOTATION}` } });
  })
  .meta({ description: 'Where the secrets lie; several places may stand together.', minProperties: 1 });

export const secrets = z
  .strictObject({
    type: z.literal('secrets'),
    from,
    ...common,
    validate: z
      .array(commandCheck, { error: () => 'a list of checks' })
      .default([])
      .meta({ description: validateDescription }),
  })
  .meta({ description: 'Secrets and configuration: Secret Manager, files, variables.' });

/** Where secrets lie; at least one of these. */
export interface SecretPlaces {
  gcp?: { project: TextOrReference; location?: string; names?: string[]; filter?: string };
  /** Absolute. */
  files?: TextOrReference[];
  /** Absolute. */
  directory?: TextOrReference;
  env?: string[];
}

export interface SecretsSource extends SourceBase {
  type: 'secrets';
  from: SecretPlaces;
  validate: Extract<ValidateCheck, { kind: 'exec' }>[];
}

export function buildSecrets(source: z.output<typeof secrets>, base: Omit<SourceBase, 'validate'>): SecretsSource {
  const { gcp, files, directory, env } = source.from;
  const places = {
    ...(gcp !== undefined && { gcp: gcp as NonNullable<SecretPlaces['gcp']> }),
    ...(files !== undefined && { files: files.map(cleanPath) }),
    ...(directory !== undefined && { directory: cleanPath(directory) }),
    ...(env !== undefined && { env }),
  };
  return { ...base, type: 'secrets', from: places, validate: source.validate.map(buildCommandCheck) };
}

function cleanPath(path: TextOrReference): TextOrReference {
  return typeof path === 'string' ? posix.resolve(path) : path;
}
