import { z } from 'zod';
import { GIT_URL_NOTATION, parseGitUrl } from '../git-url.ts';
import { reference, type SecretReference, type TextOrReference, textOrReference } from '../reference-schema.ts';
import { filled, text } from '../values.ts';
import {
  buildCommandCheck,
  commandCheck,
  common,
  type SourceBase,
  type ValidateCheck,
  validateDescription,
} from './common.ts';

const CREDENTIALS_NOTATION = 'credentials such as { password: { env: TOKEN } } or { key: { file: PATH } }';

const credentials = z
  .strictObject(
    {
      username: textOrReference(filled('a user name', 'The user that the password is of.')).optional(),
      password: reference
        .meta({ description: 'The password or token for an http:// or https:// URL, as a reference.' })
        .optional(),
      key: reference
        .meta({ description: 'The private key for a repository over ssh, as a reference; it has no passphrase.' })
        .optional(),
      knownHosts: textOrReference(
        filled('lines of a known_hosts file', 'What hosts over ssh must show, as lines of a known_hosts file.'),
      ).optional(),
    },
    { error: () => CREDENTIALS_NOTATION },
  )
  .superRefine(({ username, password, key, knownHosts }, context) => {
    const complain = (path: string[], message: string) =>
      context.addIssue({ code: 'custom', path, message, params: { message } });
    if ((password === undefined) === (key === undefined)) complain([], `expected ${CREDENTIALS_NOTATION}`);
    else if (username !== undefined && password === undefined)
      complain(['username'], '"username" belongs to "password"');
    else if (knownHosts !== undefined && key === undefined) complain(['knownHosts'], '"knownHosts" belongs to "key"');
  })
  .meta({ description: 'What the repository asks for; without, what the machine has: an agent of ssh, or nothing.' });

export const git = z
  .strictObject({
    type: z.literal('git'),
    url: textOrReference(
      text(
        GIT_URL_NOTATION,
        `Where the repository lies: ${GIT_URL_NOTATION}. A path may be relative to the plan.`,
        judgeGitUrl,
      ),
    ),
    credentials: credentials.optional(),
    ...common,
    validate: z
      .array(commandCheck, { error: () => 'a list of checks' })
      .default([])
      .meta({ description: validateDescription }),
  })
  .meta({ description: 'A git repository with all its references.' });

function judgeGitUrl(value: string) {
  const address = parseGitUrl(value, '/');
  if ('problem' in address) return { message: address.problem };
  if (address.password === undefined) return undefined;
  return { message: 'a password is never written in the plan; expected a reference in "credentials"' };
}

/** What a repository asks for before it is read. */
export type GitCredentials =
  | { username?: TextOrReference; password: SecretReference }
  | { key: SecretReference; knownHosts?: TextOrReference };

export interface GitSource extends SourceBase {
  type: 'git';
  url: TextOrReference;
  credentials?: GitCredentials;
  validate: Extract<ValidateCheck, { kind: 'exec' }>[];
}

export function buildGit(source: z.output<typeof git>, base: Omit<SourceBase, 'validate'>): GitSource {
  const { url, credentials: given, validate } = source;
  return {
    ...base,
    type: 'git',
    url,
    ...(given !== undefined && { credentials: buildCredentials(given) }),
    validate: validate.map(buildCommandCheck),
  };
}

function buildCredentials({ username, password, key, knownHosts }: z.output<typeof credentials>): GitCredentials {
  if (key !== undefined) return { key, ...(knownHosts !== undefined && { knownHosts }) };
  return { password: password!, ...(username !== undefined && { username }) };
}
