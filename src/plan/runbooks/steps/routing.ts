/** Steps that lead clients elsewhere. */
import { z } from 'zod';
import { duration, filled } from '../../values.ts';
import { filledIn, stepSchema, template, urlPassword } from './common.ts';

const RECORD_TYPES = ['A', 'AAAA', 'CNAME', 'TXT', 'SRV'] as const;
const TSIG_ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;

const secretName = template(
  'the name of a secret such as projects/omni/secrets/database-url',
  "A secret in Google's Secret Manager, which gets a new version.",
);

export const routing = [
  stepSchema('connection.update', 'Gives clients another connection string.', {
    set: z
      .strictObject(
        {
          secret: secretName.optional(),
          file: template('a path', 'A file that clients read; relative to the plan.').optional(),
          key: filled('a name', 'Of a file with lines such as NAME=value: which of them.').optional(),
        },
        { error: () => 'either { secret: projects/…/secrets/… } or { file: PATH }' },
      )
      .superRefine(({ secret, file }, context) => {
        if ((secret === undefined) !== (file === undefined)) return;
        const message = 'expected either "secret" or "file"';
        context.addIssue({ code: 'custom', path: [], message, params: { message } });
      })
      .meta({ description: 'Where it lies.' }),
    value: filledIn('a connection string', 'What it is from now on.'),
    password: urlPassword.optional(),
  }),
  stepSchema('dns.update', 'Points a name somewhere else.', {
    provider: z
      .enum(['rfc2136', 'cloud-dns'], { error: () => 'rfc2136 or cloud-dns' })
      .meta({ description: 'rfc2136: a server that takes dynamic updates. cloud-dns: Google Cloud DNS.' }),
    server: filledIn('a host, with a port if it is not 53', 'Of rfc2136: the primary name server.').optional(),
    project: template('a project', 'Of cloud-dns.').optional(),
    zone: template(
      'a zone',
      'The zone; found out from the name when left out. Of cloud-dns its name there.',
    ).optional(),
    name: template('a name', 'The name that is pointed elsewhere.'),
    type: z
      .enum(RECORD_TYPES, { error: () => `one of ${RECORD_TYPES.join(', ')}` })
      .meta({ description: 'The type of the record.' }),
    value: template('a value', 'What it points to.'),
    ttl: duration('How long others may remember it.').default('60s'),
    key: z
      .strictObject(
        {
          name: filled('a name', 'The name of the key.'),
          algorithm: z
            .enum(TSIG_ALGORITHMS, { error: () => `one of ${TSIG_ALGORITHMS.join(', ')}` })
            .default('hmac-sha256')
            .meta({ description: 'How it is signed.' }),
          secret: filledIn('a reference', 'The secret, in base64, as a reference.'),
        },
        { error: () => 'a key such as { name: holdfast, secret: { env: DNS_KEY } }' },
      )
      .meta({ description: 'Of rfc2136: what updates are signed with (TSIG).' })
      .optional(),
  }),
] as const;
