/** Steps after a breach. */
import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import { filled, identifier } from '../../values.ts';
import {
  filledIn,
  httpRequest,
  names,
  program,
  programEnvironment,
  repeatable,
  stepSchema,
  template,
} from './common.ts';

/** An address, a network, or `local`. */
const network = filled('an address', 'An address, a network such as 10.0.0.0/8, or `local` for sockets.').refine(
  (text) => text === 'local' || isNetwork(text),
  { error: () => 'an address such as 192.0.2.7, a network such as 10.0.0.0/8, or local' },
);

function isNetwork(text: string): boolean {
  const [, address = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  return bits > 0 && Number(length ?? 0) <= bits;
}

export const security = [
  stepSchema('credentials.rotate', 'Gives new credentials, and proves that the old ones are dead.', {
    source: identifier
      .meta({ description: 'The PostgreSQL or Redis source whose users get new passwords.' })
      .optional(),
    url: filledIn('a URL', "The server, by a user that may change others; the source's own when left out.").optional(),
    users: z
      .array(filled('a name', 'A role of PostgreSQL, or a user of Redis.'), { error: () => 'a list of users' })
      .min(1, { error: () => 'at least one user' })
      .meta({ description: 'Roles of PostgreSQL, or users of Redis.' })
      .optional(),
    into: z
      .record(filled('a name', 'A user.'), filled('a path or a secret', 'Where the new password is put.'), {
        error: () => 'places by user',
      })
      .meta({
        description:
          "Where each new password is put: a file, readable by its owner alone, or a secret of Google's Secret Manager (projects/…/secrets/…).",
      })
      .optional(),
    secrets: z
      .array(template('projects/…/secrets/…', 'A secret.'), { error: () => 'a list of secrets' })
      .min(1)
      .meta({
        description: "Secrets of Google's Secret Manager that get a new, random version; older ones are disabled.",
      })
      .optional(),
  }),
  stepSchema('isolate', 'Cuts a system off, but for the addresses that work on it.', {
    source: identifier.meta({ description: 'The PostgreSQL or Redis source whose server is cut off.' }).optional(),
    url: filledIn('a URL', "The server, by a user that may; the source's own when left out.").optional(),
    allow: z
      .array(network, {
        error: () => 'a list of addresses',
      })
      .meta({ description: 'Of PostgreSQL: who still gets in. Holdfast, too, gets in from these alone.' })
      .optional(),
    users: names('users', 'Roles of PostgreSQL or users of Redis that are turned off.').optional(),
    exec: program.optional(),
    env: programEnvironment.optional(),
    http: httpRequest.optional(),
    repeatable,
  }),
] as const;
