/** New passwords for users of a server: each is where it belongs before it is set, and tried once it is. And new secrets. */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { HoldfastError, isHoldfastError, systemCode } from '../../foundation/errors.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import { resolveSecret } from '../../plan/index.ts';
import type { CredentialsServer, Rotated } from '../../source/index.ts';
import type { Described, Foreseen, StepContext, StepKind, StepResult } from '../step.ts';
import { replaceInFile } from './connection-update/replace-file.ts';
import { obstacleOf } from './failover/servers.ts';
import { lookAtSecrets, rotateSecrets, secretsInWords } from './rotate-secrets.ts';
import { assertFilled } from './unfilled.ts';

type Context = StepContext<'credentials.rotate'>;

const PASSWORD_BYTES = 32;
const OTHERS = 0o077;

export const credentialsRotate: StepKind<'credentials.rotate'> = {
  describe,
  foresee,
  run,
  leaves: (context) => `${rotatedBy(context).join(', ')} keep what is new; what was before is not let in again`,
  inDrill: 'skip',
};

async function run(context: Context): Promise<StepResult> {
  const { step } = context;
  assertFilled(step);
  const at = await prepare(context);
  await lookAtSecrets(context, secretsOf(context));
  const passwords = at === undefined ? { words: [], forgets: false } : await rotatePasswords(context, at);
  const secrets = await rotateSecrets(context, secretsOf(context), newSecret);
  return {
    outcome: passwords.forgets || secrets.deadAliases.length > 0 ? 'partial' : 'done',
    summary: [...passwords.words, ...secretsInWords(secrets)].join('; '),
    outputs: { rotated: rotatedBy(context).join(', ') },
  };
}

/** 256 bits, in characters that need no quotes anywhere. */
function newSecret(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url');
}

async function rotatePasswords(
  context: Context,
  { server, url, oldUrl, users }: PasswordPlace,
): Promise<{ words: string[]; forgets: boolean }> {
  const { signal, tell } = context;
  const { label } = await server.look(url, users, signal);
  const rotated: { user: string; done: Rotated }[] = [];
  for (const user of users) {
    const password = newSecret();
    // Once it is set nobody else knows it: whoever dies in between leaves it where it belongs.
    await put(context, placeOf(context, user), password);
    const done = await server.rotate(url, { user, password, ...(oldUrl !== undefined && { oldUrl }) }, signal);
    rotated.push({ user, done });
    tell(`${user} has a new password at ${label}, which is in ${placeOf(context, user)}`);
  }
  const forgets = rotated.some(({ done }) => !done.isLasting);
  return { words: inWords(label, rotated, forgets), forgets };
}

function inWords(label: string, rotated: readonly { user: string; done: Rotated }[], forgets: boolean): string[] {
  const sessions = rotated.reduce((sum, { done }) => sum + done.endedSessions, 0);
  const off = rotated.filter(({ done }) => done.isOff === true).map(({ user }) => user);
  const on = rotated.filter(({ done }) => done.isOff !== true);
  const untried = on.filter(({ done }) => !done.oldWasTried).map(({ user }) => user);
  return [
    `${rotated.map(({ user }) => user).join(', ')} at ${label} have new passwords${on.length > 0 ? ', which work' : ''}; ${sessions} sessions were ended`,
    ...(off.length > 0 ? [`${off.join(', ')} is turned off, and has no password but the new one`] : []),
    ...(untried.length < on.length ? ['the old password was tried, and refused'] : []),
    ...(untried.length > 0 ? [`of ${untried.join(', ')} the old one is not known here; a wrong one is refused`] : []),
    ...(forgets ? ['the server cannot write it down: when it is started again the old ones work again'] : []),
  ];
}

interface PasswordPlace {
  server: CredentialsServer;
  url: string;
  oldUrl: string | undefined;
  users: string[];
}

/** All that can be known to be wrong is said before the first password is changed. @returns undefined where there are no users */
async function prepare(context: Context): Promise<PasswordPlace | undefined> {
  const { step, workspace, signal } = context;
  const users = usersOf(context);
  if (users.length === 0 && secretsOf(context).length > 0) return undefined;
  if (users.length === 0) throw unusable('names neither users nor secrets', 'Name them under `users` or `secrets`.');
  const planned = plannedUrl(context);
  const given = step.url ?? planned;
  if (given === undefined)
    throw unusable('names no server', 'Give it a `source` of type postgres or redis, or a `url`.');
  const url = await resolveSecret(given, workspace.references);
  const server = await serverFor(context, url);
  for (const user of users) await assertPlace(placeOf(context, user));
  const { login, missing, mayChange, label } = await server.look(url, users, signal);
  if (!mayChange)
    throw unusable(
      `logs in as ${login}, who may not change others at ${label}`,
      'Give it the `url` of a user that may.',
    );
  if (missing.length > 0)
    throw unusable(`names users that ${label} does not have: ${missing.join(', ')}`, 'See `users`.');
  if (users.includes(login)) {
    throw unusable(
      `would change the password of ${login}, by which it logs in itself`,
      'Give it the `url` of another user.',
    );
  }
  return { server, url, oldUrl: await ifKnown(context, planned), users };
}

function describe(context: Context): Described {
  const users = usersOf(context);
  const secrets = secretsOf(context);
  return {
    does: [
      ...(users.length === 0
        ? []
        : [`gives ${users.join(', ')} new passwords, ends their sessions, and tries whether the old ones are dead`]),
      ...(secrets.length === 0 ? [] : [`gives ${secrets.join(', ')} new random values, and disables the older ones`]),
    ].join('; '),
    byHand: [...(users.length === 0 ? [] : passwordsByHand(users)), ...secrets.flatMap(secretByHand)],
  };
}

async function foresee(context: Context): Promise<Foreseen> {
  const obstacles: string[] = [];
  try {
    await prepare(context);
    obstacles.push(...(await lookAtSecrets(context, secretsOf(context))));
  } catch (error) {
    obstacles.push(obstacleOf(error, context.signal));
  }
  return { ...describe(context), obstacles };
}

function passwordsByHand(users: readonly string[]): string[] {
  return [
    '# PostgreSQL; \\password sends no clear text:',
    ...users.map((user) => `psql -c '\\password ${user}'`),
    `psql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'USER'"`,
    '# Redis, with the SHA-256 of the password in hexadecimal:',
    'redis-cli ACL SETUSER USER resetpass "#HASH"',
    'redis-cli CLIENT KILL USER USER',
    'redis-cli ACL SAVE',
  ];
}

function secretByHand(secret: string): string[] {
  const name = shellWord(secret);
  return [
    `openssl rand -base64 32 | gcloud secrets versions add ${name} --data-file=-`,
    `gcloud secrets versions list ${name} --filter=state=enabled   # then disable each of the older ones:`,
    `gcloud secrets versions disable NUMBER --secret ${name}`,
  ];
}

function secretsOf({ step }: Context): string[] {
  return [...new Set(step.secrets ?? [])];
}

function rotatedBy(context: Context): string[] {
  return [...usersOf(context), ...secretsOf(context)];
}

function usersOf({ step }: Context): string[] {
  return [...new Set((step.users ?? []).map(String))];
}

function plannedUrl({ step, workspace }: Context) {
  if (step.source === undefined) return undefined;
  const [source] = workspace.sources([step.source]);
  return source?.type === 'postgres' || source?.type === 'redis' ? source.url : undefined;
}

async function serverFor({ workspace }: Context, url: string): Promise<CredentialsServer> {
  const { postgresCredentials, redisCredentials } = workspace.environment.adapters;
  const server = /^postgres/i.test(url) ? await postgresCredentials?.() : await redisCredentials?.();
  if (server !== undefined) return server;
  throw new HoldfastError('internal', 'there is nothing that passwords could be changed with');
}

/** The plan's own URL, which has the old password of its user. Where it cannot be had, others may be tried. */
async function ifKnown({ workspace }: Context, planned: ReturnType<typeof plannedUrl>): Promise<string | undefined> {
  if (planned === undefined) return undefined;
  try {
    return await resolveSecret(planned, workspace.references);
  } catch (error) {
    if (isHoldfastError(error, 'secret-unavailable')) return undefined;
    throw error;
  }
}

/** @returns an absolute path, or the full name of a secret. @throws bad-usage */
function placeOf({ step, workspace }: Context, user: string): string {
  const place = step.into?.[user];
  if (place === undefined)
    throw unusable(`says not where the new password of ${user} goes`, 'Name a file or a secret under `into`.');
  return isSecret(place) ? place : resolve(workspace.plan.directory, place);
}

function isSecret(place: string): boolean {
  return place.startsWith('projects/');
}

/** @throws unsafe-path where others could read it */
async function assertPlace(place: string): Promise<void> {
  if (isSecret(place)) return;
  try {
    const { mode } = await stat(place);
    if ((mode & OTHERS) === 0) return;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  throw new HoldfastError('unsafe-path', `${place} may be read by others, and is to hold a password`, {
    hint: `Run: chmod 600 ${place}.`,
  });
}

async function put({ workspace }: Context, place: string, password: string): Promise<void> {
  if (!isSecret(place)) {
    await replaceInFile(place, password, undefined);
    return;
  }
  const { putSecretValue } = workspace.environment.adapters;
  if (putSecretValue === undefined) throw new HoldfastError('internal', 'there is nothing that puts secrets anywhere');
  await putSecretValue(place, password, workspace.references);
}

function unusable(what: string, hint: string): HoldfastError {
  return new HoldfastError('bad-usage', `the step ${what}`, { hint });
}
