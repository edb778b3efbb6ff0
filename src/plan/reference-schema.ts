import { z } from 'zod';
import { isSecretVersionName, SECRET_VERSION_NOTATION } from './secret-name.ts';
import { filled, text } from './values.ts';

/** A value that lies elsewhere and is fetched when it is needed. */
export type SecretReference = { env: string } | { file: string } | { command: [string, ...string[]] } | { gcp: string };

/** A text as it is, or where to find it. */
export type TextOrReference = string | SecretReference;

export const REFERENCE_NOTATION = `a reference such as { env: NAME }, { file: PATH }, { command: [PROGRAM, ARGUMENT] } or { gcp: ${SECRET_VERSION_NOTATION} }`;

/**
 * One object with optional keys, of which exactly one stands, rather than a union: what is wrong inside
 * a union cannot be told as precisely. The cast restores the precise type.
 */
export const reference = z
  .strictObject(
    {
      env: filled('the name of an environment variable', 'The environment variable that holds the value.').optional(),
      file: filled(
        'the path of a file',
        'A file with the value, readable by its owner only; relative to the plan.',
      ).optional(),
      command: z
        .array(filled('a word of the command', 'The program, then its arguments. No shell reads them.'), {
          error: () => 'a list of the program and its arguments',
        })
        .min(1, { error: () => 'a list of the program and its arguments' })
        .meta({ description: 'A command that prints the value.' })
        .optional(),
      gcp: text(
        SECRET_VERSION_NOTATION,
        "A version of a secret in Google's Secret Manager, by its full name.",
        (value) => (isSecretVersionName(value) ? undefined : {}),
      ).optional(),
    },
    { error: () => REFERENCE_NOTATION },
  )
  .superRefine((value, context) => {
    const count = Object.values(value).filter((part) => part !== undefined).length;
    if (count !== 1) context.addIssue({ code: 'custom', message: REFERENCE_NOTATION, params: { kind: 'shape' } });
  })
  .meta({ description: REFERENCE_NOTATION, minProperties: 1, maxProperties: 1 }) as unknown as z.ZodType<
  SecretReference,
  SecretReference
>;

/** Wherever a text is taken, a reference may stand. */
export function textOrReference(schema: z.ZodType<string, string>) {
  const expected = (schema as { meta?: () => { description?: string } | undefined }).meta?.()?.description;
  return z
    .union([schema, reference], { error: () => 'a text, or a reference such as { env: NAME }' })
    .meta(expected === undefined ? {} : { description: expected });
}
