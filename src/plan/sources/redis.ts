import { z } from 'zod';
import { type TextOrReference, textOrReference } from '../reference-schema.ts';
import { filled, text } from '../values.ts';
import { checkName, command, common, type SourceBase, type ValidateCheck, validateDescription } from './common.ts';

const count = z
  .strictObject(
    {
      atLeast: z
        .int({ error: () => 'a whole number' })
        .min(0, { error: () => 'a whole number that is not negative' })
        .meta({ description: 'As many there must be, or more.' }),
    },
    { error: () => 'a count such as { atLeast: 1 }' },
  )
  .meta({ description: 'How many there must be.' });

/** Exactly one of keys and exec. */
const keyCheck = z
  .strictObject(
    {
      name: checkName,
      keys: textOrReference(filled('a pattern such as "session:*"', 'A pattern of keys, as SCAN takes it.')).optional(),
      count: count.optional(),
      exec: command.optional(),
    },
    { error: () => 'a check such as { name: sessions, keys: "session:*", count: { atLeast: 1 } }' },
  )
  .superRefine((check, context) => {
    const complain = (message: string) => context.addIssue({ code: 'custom', message, params: { message } });
    if ((check.keys === undefined) === (check.exec === undefined)) complain('a check has either "keys" or "exec"');
    else if ((check.keys === undefined) !== (check.count === undefined)) complain('"keys" and "count" belong together');
  })
  .meta({
    oneOf: [
      { type: 'object', properties: { keys: true, count: true, exec: false }, required: ['keys', 'count'] },
      { type: 'object', properties: { exec: true, keys: false, count: false }, required: ['exec'] },
    ],
  });

const SCHEME = /^(?:redis|rediss|valkey|valkeys|redis\+unix|valkey\+unix|redis\+socket|unix):\/\//i;
const INLINE_PASSWORD = /^[^/?#]*:\/\/[^/?@]*:[^@]+@/;

function judgeUrl(value: string) {
  if (INLINE_PASSWORD.test(value)) {
    return {
      message:
        'a password is never written in the plan; expected a reference to the whole URL such as { env: REDIS_URL }',
    };
  }
  return SCHEME.test(value) ? undefined : {};
}

export const redis = z
  .strictObject({
    type: z.literal('redis'),
    url: textOrReference(
      text('a URL such as redis://host:6379 or redis+unix:///path/to/socket', 'The URL of the server.', judgeUrl),
    ),
    method: z
      .enum(['replication', 'scan'], { error: () => 'replication or scan' })
      .default('replication')
      .meta({
        description:
          'How it is backed up. replication: everything at one moment, as a replica gets it. scan: key by key while others write, where a service blocks replication.',
      }),
    stream: z
      .boolean({ error: () => 'true or false' })
      .default(false)
      .meta({
        description:
          'Whether the replication stream is captured continuously by `holdfast follow`, so that little is lost. With method: replication only.',
      }),
    ...common,
    validate: z
      .array(keyCheck, { error: () => 'a list of checks' })
      .default([])
      .meta({ description: validateDescription }),
  })
  .meta({ description: 'A Redis or Valkey server, with all of its databases.' });

/** A check of a restored server. */
export type RedisCheck =
  | Extract<ValidateCheck, { kind: 'exec' }>
  /** So many keys must match the pattern, over all databases. */
  | { kind: 'keys'; name: string; keys: TextOrReference; atLeast: number };

export interface RedisSource extends Omit<SourceBase, 'validate'> {
  type: 'redis';
  url: TextOrReference;
  method: 'replication' | 'scan';
  /** The replication stream is captured continuously. */
  stream: boolean;
  validate: RedisCheck[];
}

export function buildRedis(source: z.output<typeof redis>, base: Omit<SourceBase, 'validate'>): RedisSource {
  const { url, method, stream, validate } = source;
  return { ...base, type: 'redis', url, method, stream, validate: validate.map(buildCheck) };
}

function buildCheck({ name, keys, count: wanted, exec }: z.output<typeof keyCheck>): RedisCheck {
  if (keys === undefined) return { kind: 'exec', name, exec: exec ?? [] };
  return { kind: 'keys', name, keys, atLeast: wanted?.atLeast ?? 0 };
}
