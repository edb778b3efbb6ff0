/** What steps of all kinds have alike in a plan. */
import { z } from 'zod';
import { reference, textOrReference } from '../../reference-schema.ts';
import { duration, filled, identifier } from '../../values.ts';

export const ON_FAILURE = ['stop', 'continue', 'ask'] as const;
/** What becomes of the rest when a step fails: `ask` leaves it to a person. */
export type OnFailure = (typeof ON_FAILURE)[number];

/** A text in which `${point.time}` stands for what an earlier step found out, or a parameter; or a reference. */
export const filledIn = (expected: string, description: string) => textOrReference(filled(expected, description));

/** The same, as plain text: nothing secret belongs there. */
export const template = (expected: string, description: string) => filled(expected, description);

/** What steps find out holds no password: who uses a URL of theirs says where it is. */
export const urlPassword = reference.meta({
  description: 'The password that goes into the URL when it is used, as a reference: `${restore.url}` has none.',
});

export const names = (what: string, description: string) =>
  z
    .array(identifier, { error: () => `a list of ${what}` })
    .min(1, { error: () => `at least one of ${what}` })
    .meta({ description });

/** A program and its arguments. No shell reads them; what is secret goes by `env` or `files`. */
export const program = z
  .array(
    template('a word of the command', 'A word of the command; `${point.time}` stands for what is known by then.'),
    {
      error: () => 'a list of the program and its arguments',
    },
  )
  .min(1, { error: () => 'a list of the program and its arguments' })
  .meta({ description: 'The program and its arguments; it must exit 0. No shell reads them.' });

/** Values that a program gets by its environment, by name. */
export const programEnvironment = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), filledIn('a value', 'The value of the variable.'), {
    error: () => 'values by the names of environment variables',
  })
  .meta({ description: 'What the program gets by its environment: secrets as references.' });

/** Values that a program gets in files, by the names of the variables that say where these are. */
export const programFiles = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), filledIn('a value', 'What is in the file.'), {
    error: () => 'values by the names of environment variables',
  })
  .meta({
    description:
      'What the program gets in files, readable by their owner alone and removed afterwards; each variable names its file.',
  });

export const repeatable = z
  .boolean({ error: () => 'true or false' })
  .default(false)
  .meta({ description: 'Doing it twice does no harm: after a death it is done again, and nobody is asked.' });

const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

export const httpRequest = z
  .strictObject(
    {
      url: filledIn('a URL such as https://app.example/maintenance', 'The address.'),
      method: z
        .enum(HTTP_METHODS, { error: () => `one of ${HTTP_METHODS.join(', ')}` })
        .default('POST')
        .meta({ description: 'The method.' }),
      headers: z
        .record(z.string(), filledIn('a value', 'The value of the header.'), { error: () => 'values by header' })
        .meta({ description: 'Headers: secrets as references.' })
        .optional(),
      body: z
        .union([filledIn('a text', 'The body.'), z.record(z.string(), z.unknown())], {
          error: () => 'a text, or keys with values that are sent as JSON',
        })
        .meta({ description: 'The body: a text, or keys with values, which are sent as JSON.' })
        .optional(),
      expect: z
        .array(z.int().min(100).max(599), { error: () => 'a list of status codes' })
        .min(1)
        .meta({ description: 'The status codes that mean success; 200 to 299 when left out.' })
        .optional(),
    },
    { error: () => 'a request such as { url: https://app.example/maintenance, method: PUT }' },
  )
  .meta({ description: 'A request over HTTP.' });

/** The keys of every step, beside `id` and `do`. */
export const common = {
  id: identifier.meta({ description: 'The name of the step: later ones refer to what it found out.' }),
  title: filled('a text', 'What the step is called where people read it.').optional(),
  within: duration("The step's share of the budget: exceeding it alerts, and goes on.").optional(),
  timeout: duration('When the step is ended, and counts as failed.').optional(),
  onFailure: z
    .enum(ON_FAILURE, { error: () => `one of ${ON_FAILURE.join(', ')}` })
    .default('stop')
    .meta({ description: 'What becomes of the rest when the step fails: `ask` leaves it to a person.' }),
  retries: z
    .int({ error: () => 'a whole number' })
    .min(0, { error: () => '0 or more' })
    .max(100, { error: () => 'at most 100' })
    .default(0)
    .meta({ description: 'How often it is tried again when it fails.' }),
  when: filled(
    'a condition such as ${check.state} == down',
    'The step is passed over unless this holds: a comparison with ==, !=, <, <=, > or >=, several joined by `and`.',
  ).optional(),
  needs: z
    .array(identifier, { error: () => 'a list of earlier steps' })
    .meta({
      description:
        'The steps that must have ended first. Left out, the one before; with an empty list none, so that it begins at once.',
    })
    .optional(),
  restoresService: z
    .boolean({ error: () => 'true or false' })
    .default(false)
    .meta({ description: 'What people use is back once this step is done: here the recovery time ends.' }),
  drill: z
    .union(
      [
        z.enum(['run', 'skip'], { error: () => 'run or skip' }),
        z.record(z.string(), z.unknown(), { error: () => 'keys of the step with other values' }),
      ],
      { error: () => 'run, skip, or keys of the step with the values that they have in a drill' },
    )
    .meta({ description: 'What a drill does instead: run, skip, or keys of this step with other values.' })
    .optional(),
  byHand: filled('a text', 'How to do it by hand, where Holdfast cannot: printed beside the step.').optional(),
};

/** A kind of step: its name, and its own keys. */
export function stepSchema<Name extends string, Shape extends z.ZodRawShape>(
  name: Name,
  description: string,
  shape: Shape,
) {
  return z.strictObject({ do: z.literal(name), ...common, ...shape }).meta({ description });
}
