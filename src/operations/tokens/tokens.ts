import { randomBytes } from 'node:crypto';
import { parseTimeMs } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { parseDuration } from '../../foundation/units.ts';
import { currentUser } from '../../foundation/user.ts';
import type { LedgerEvent, Summary } from '../../ledger/index.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { isRole, ROLES, type Role } from './role.ts';
import { hashOfSecret, newSecret } from './secret.ts';
import { type ApiToken, type KeptTokens, putRevocation, putToken, readTokens } from './token-objects.ts';

export interface TokenRequest {
  name: string;
  role: string;
  /** A duration from now, such as `90d`, or RFC 3339; without it, it holds until it is revoked. */
  expires?: string;
  /** Who asks; the user of this process, when left out. */
  by?: string;
}

/** A token as it is listed. Times are RFC 3339. */
export interface ListedToken extends Omit<ApiToken, 'sha256'> {
  state: 'valid' | 'expired' | 'revoked';
  /** As far as the ledger says: the calls of an hour are summed up there. */
  lastUsedAt?: string;
}

/** The only time that the token itself is shown. */
export interface AddedToken {
  token: string;
  added: ListedToken;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ID_BYTES = 8;
/** The last moment that a date can have. */
const LAST_MS = 8.64e15;

/** Where the tokens of a plan lie: in the first of its repositories that sources are kept in, and so in its mirrors. */
export function openTokens(workspace: Workspace): Promise<OpenedRepository> {
  const [first] = workspace.homeNames;
  if (first !== undefined) return workspace.open(first);
  throw new HoldfastError('bad-usage', 'the plan has no repository to keep tokens in', {
    hint: 'Name one under `repositories:` in the plan.',
  });
}

/** Makes a token. @throws bad-usage where the name is taken or wrong, or the time is past; what keeps the repository from being opened */
export async function addToken(workspace: Workspace, request: TokenRequest): Promise<AddedToken> {
  const { name, role } = assertAddable(request);
  const nowMs = workspace.environment.clock.nowMs();
  const expiresAt = request.expires === undefined ? undefined : expiryOf(request.expires, nowMs);
  const { repository, ledger } = await openTokens(workspace);
  const kept = await keptTokens({ repository, ledger });
  if (kept.tokens.some((token) => token.name === name && stateOf(token, kept, nowMs) === 'valid')) {
    throw new HoldfastError('bad-usage', `there is a token ${name} already`, {
      hint: `Choose another name, or revoke it with \`holdfast token revoke ${name}\`.`,
    });
  }
  const secret = newSecret();
  const token: ApiToken = {
    id: randomBytes(ID_BYTES).toString('hex'),
    ...{ name, role, sha256: hashOfSecret(secret).toString('hex') },
    createdAt: new Date(nowMs).toISOString(),
    createdBy: request.by ?? currentUser().username,
    ...(expiresAt !== undefined && { expiresAt }),
  };
  // Said before it holds: no token works that the ledger knows nothing of.
  await ledger.append('token.created', {
    ...{ token: token.id, name, role },
    ...(expiresAt !== undefined && { expires: expiresAt }),
    ...(request.by !== undefined && { by: request.by }),
  });
  await putToken(repository, token);
  return { token: secret, added: listed(token, kept, nowMs) };
}

export interface ListedTokens {
  /** All that there ever were, oldest first. */
  tokens: ListedToken[];
  /** What lies beside them and is no token that can be read: it opens nothing. */
  damaged: HoldfastError[];
}

export async function listTokens(workspace: Workspace): Promise<ListedTokens> {
  const { repository, ledger } = await openTokens(workspace);
  const events = await ledger.events({ kinds: ['token.revoked', 'api.called', 'api.summarised'] });
  const kept = withRevoked(await readTokens(repository), events);
  const used = lastUses(events);
  const nowMs = workspace.environment.clock.nowMs();
  const tokens = kept.tokens.map((token) => ({
    ...listed(token, kept, nowMs),
    ...(used.has(token.id) && { lastUsedAt: used.get(token.id)! }),
  }));
  return { tokens, damaged: kept.damaged };
}

/**
 * Ends a token for good.
 * @param name of the valid one, or the id of any
 * @throws unknown-token
 */
export async function revokeToken(
  workspace: Workspace,
  { name, by }: { name: string; by?: string },
): Promise<ListedToken> {
  const nowMs = workspace.environment.clock.nowMs();
  const { repository, ledger } = await openTokens(workspace);
  const kept = await keptTokens({ repository, ledger });
  const found = kept.tokens.find((token) => {
    const isNamed = token.id === name || token.name === name;
    return isNamed && stateOf(token, kept, nowMs) === 'valid';
  });
  if (found === undefined) {
    throw new HoldfastError('unknown-token', `there is no valid token ${JSON.stringify(name)}`, {
      hint: 'See `holdfast token list`.',
    });
  }
  // The ledger is believed too where somebody removed the mark that follows.
  await ledger.append('token.revoked', { token: found.id, name: found.name, ...(by !== undefined && { by }) });
  await putRevocation(repository, found.id, new Date(nowMs).toISOString());
  kept.revoked.add(found.id);
  return listed(found, kept, nowMs);
}

/** The ids of tokens that were revoked. */
const revokedSummary: Summary<Set<string>> = {
  name: 'revoked-1',
  initial: () => new Set(),
  add: (revoked, event) => {
    if (event.kind === 'token.revoked') revoked.add(event.body.token);
  },
  copy: (revoked) => new Set(revoked),
};

/** Tokens with what the ledger says of them: it cannot be cut without being noticed, and an object can be removed. */
export async function keptTokens({
  repository,
  ledger,
}: Pick<OpenedRepository, 'repository' | 'ledger'>): Promise<KeptTokens> {
  const [kept, { state }] = await Promise.all([readTokens(repository), ledger.view(revokedSummary).read()]);
  return { ...kept, revoked: kept.revoked.union(state) };
}

export function stateOf({ id, expiresAt }: ApiToken, { revoked }: KeptTokens, nowMs: number): ListedToken['state'] {
  if (revoked.has(id)) return 'revoked';
  return expiresAt !== undefined && Date.parse(expiresAt) <= nowMs ? 'expired' : 'valid';
}

function withRevoked({ revoked, ...kept }: KeptTokens, events: readonly LedgerEvent[]): KeptTokens {
  const named = events.flatMap((event) => (event.kind === 'token.revoked' ? [event.body.token] : []));
  return { ...kept, revoked: new Set([...revoked, ...named]) };
}

function lastUses(events: readonly LedgerEvent[]): ReadonlyMap<string, string> {
  const uses = new Map<string, string>();
  for (const event of events) {
    if (event.kind === 'api.called' && event.body.token !== undefined) uses.set(event.body.token, event.time);
    if (event.kind === 'api.summarised') uses.set(event.body.token, event.body.until);
  }
  return uses;
}

function listed(token: ApiToken, kept: KeptTokens, nowMs: number): ListedToken {
  const { sha256: _, ...rest } = token;
  return { ...rest, state: stateOf(token, kept, nowMs) };
}

function assertAddable({ name, role }: TokenRequest): { name: string; role: Role } {
  if (!NAME.test(name)) {
    throw new HoldfastError('bad-usage', `${JSON.stringify(name)} is no name for a token`, {
      hint: 'Use up to 64 letters, digits, `.`, `_` and `-`, beginning with a letter or a digit.',
    });
  }
  if (!isRole(role)) {
    throw new HoldfastError('bad-usage', `there is no role ${JSON.stringify(role)}`, {
      hint: `Choose one of ${ROLES.join(', ')}.`,
    });
  }
  return { name, role };
}

function expiryOf(text: string, nowMs: number): string {
  const durationMs = parseDuration(text);
  const timeMs = durationMs === undefined ? parseTimeMs(text) : nowMs + durationMs;
  if (timeMs !== undefined && timeMs > nowMs && timeMs <= LAST_MS) return new Date(timeMs).toISOString();
  throw new HoldfastError('bad-usage', `a token cannot expire at ${JSON.stringify(text)}`, {
    hint: 'Write a duration such as 90d, or a time to come such as 2027-01-31T00:00:00Z.',
  });
}
