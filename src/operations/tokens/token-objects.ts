import { parseJsonDocument, sealJson, unsealJsonText } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { type Repository, TOKENS_PREFIX } from '../../repository/index.ts';
import { isRole, type Role } from './role.ts';

/** A token as it is kept: who it is for and what it may, never the token. Times are RFC 3339. */
export interface ApiToken {
  id: string;
  name: string;
  role: Role;
  /** SHA-256 of the token, hex. */
  sha256: string;
  createdAt: string;
  /** Who made it. */
  createdBy: string;
  expiresAt?: string;
}

/** Those that there are, and the ids of those that were revoked. */
export interface KeptTokens {
  tokens: ApiToken[];
  revoked: Set<string>;
  /** What is no token that this version can read: nobody's, and no reason not to believe the others. */
  damaged: HoldfastError[];
}

const TOKEN_KEY = /^([0-9a-f]{16})$/;
const REVOCATION_KEY = /^([0-9a-f]{16})-revoked$/;

/**
 * Reads what was not read before: an object here is written once and stays. A revocation is an object of its own, so that
 * credentials that can neither delete nor replace are enough.
 * @throws the store's errors
 */
export async function readTokens(repository: Repository, known?: KeptTokens): Promise<KeptTokens> {
  const tokens = new Map((known?.tokens ?? []).map((token) => [token.id, token]));
  const revoked = new Set(known?.revoked);
  const damaged: HoldfastError[] = [];
  for await (const { key } of repository.store.list(TOKENS_PREFIX)) {
    const name = key.slice(TOKENS_PREFIX.length);
    const [, revokedId] = REVOCATION_KEY.exec(name) ?? [];
    if (revokedId !== undefined) revoked.add(revokedId);
    const [, id] = TOKEN_KEY.exec(name) ?? [];
    if (id === undefined || tokens.has(id)) continue;
    try {
      tokens.set(id, await readToken(repository, key, id));
    } catch (error) {
      // A revocation that is listed after it must be seen.
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      damaged.push(error);
    }
  }
  const sorted = [...tokens.values()].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
  return { tokens: sorted, revoked, damaged };
}

export async function putToken(repository: Repository, token: ApiToken): Promise<void> {
  await putSealed(repository, token.id, token);
}

/** Does nothing where it was revoked before. */
export async function putRevocation(repository: Repository, id: string, at: string): Promise<void> {
  try {
    await putSealed(repository, `${id}-revoked`, { id, revokedAt: at });
  } catch (error) {
    if (!isHoldfastError(error, 'object-exists')) throw error;
  }
}

async function putSealed({ store, key, config }: Repository, name: string, document: object): Promise<void> {
  const ifAbsent = (await store.capabilities()).conditionalPut;
  await store.put(`${TOKENS_PREFIX}${name}`, sealJson(key, document, config.version), { ifAbsent });
}

async function readToken({ store, key: sealingKey }: Repository, key: string, id: string): Promise<ApiToken> {
  const text = unsealJsonText(sealingKey, await store.get(key)).toString('utf8');
  const { name, role, sha256, createdAt, createdBy, expiresAt, ...rest } = parseJsonDocument(text) as Partial<ApiToken>;
  const isWhole = [name, role, sha256, createdAt, createdBy, expiresAt ?? ''].every((part) => typeof part === 'string');
  if (!isWhole || rest.id !== id || !isRole(role!) || !/^[0-9a-f]{64}$/.test(sha256!)) {
    throw new HoldfastError('repository-damaged', `the token ${id} is malformed`, {
      hint: 'A newer version of Holdfast may have written it.',
      context: { key },
    });
  }
  return {
    ...{ id, name: name!, role: role!, sha256: sha256!, createdAt: createdAt!, createdBy: createdBy! },
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
