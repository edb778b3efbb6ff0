/** All keys that ever signed for a plan, as evidence that the newest of them signed. Pure. */
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import {
  encodeStatement,
  fingerprintOf,
  judgeSignatures,
  openStatement,
  parseEnvelope,
  parsePublicKey,
  type Signing,
  sealEnvelope,
} from '../../evidence/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';

const listedKey = z.object({
  key: z.string(),
  publicKey: z.string(),
  from: z.iso.datetime(),
  until: z.iso.datetime().optional(),
  revoked: z.object({ since: z.iso.datetime(), at: z.iso.datetime(), why: z.string() }).optional(),
});
const keyList = z.looseObject({ revision: z.int().min(1), keys: z.array(listedKey).min(1) });

/** Times are RFC 3339. */
export interface ListedKey {
  /** Its fingerprint. */
  key: string;
  /** PEM. */
  publicKey: string;
  from: string;
  /** When another one took its place. */
  until?: string;
  /** Nothing that it signed is believed, whenever that says it was signed: `since` is when others may have had it. */
  revoked?: { since: string; at: string; why: string };
}

export interface KeyList {
  /** 1, 2, 3 …: each list has all that the one before has. */
  revision: number;
  /** Oldest first; the last one signs. */
  keys: ListedKey[];
}

/** @param keys private: of the last of the list, and of others that vouch for it */
export function sealKeyList(list: KeyList, signing: Signing, keys: readonly KeyObject[]): string {
  const subjects = list.keys.map(({ key }) => ({ name: `${key}.der`, sha256: key }));
  return sealEnvelope(encodeStatement('signing-keys', subjects, { ...signing, ...list }), keys);
}

/**
 * The list in an envelope, which is signed by the key that it names last.
 * @throws evidence-refused
 */
export function openKeyList(text: string): KeyList {
  const envelope = parseEnvelope(text);
  const { kind, predicate } = openStatement(envelope);
  const { data } = keyList.safeParse(predicate);
  if (kind !== 'signing-keys' || data === undefined) throw noList('it is another kind of evidence');
  const { revision } = data;
  const keys = data.keys as ListedKey[];
  const current = keys.at(-1)!;
  const judged = judgeSignatures(envelope, keys.map(believed));
  if (!judged.some(({ key, state }) => key === current.key && state === 'good')) {
    throw noList('the key that it names last has not signed it');
  }
  if (judged.some(({ state }) => state !== 'good')) throw noList('a signature of it is not right');
  return { revision, keys };
}

/** @throws evidence-refused where the key is not the one that its fingerprint names */
export function believed({ key, publicKey }: ListedKey): KeyObject {
  const parsed = parsePublicKey(publicKey);
  if (fingerprintOf(parsed) !== key) throw noList(`the public key of ${key.slice(0, 16)} is another one`);
  return parsed;
}

/** The newest of several lists; what is no list of keys counts for nothing. */
export function newestKeyList(texts: readonly string[]): KeyList | undefined {
  return keyListsIn(texts).at(-1);
}

/**
 * All keys that the lists say of which one of some keys has signed last: of each what the newest list says, and that it was revoked
 * where any does. Whoever has a revoked key can sign a newer list: one that it signed last counts for nothing.
 * @param isBelieved by its fingerprint
 */
export function keysListedBy(texts: readonly string[], isBelieved: (key: string) => boolean): ListedKey[] {
  const lists = keyListsIn(texts).filter(({ keys }) => isBelieved(keys.at(-1)!.key));
  const revoked = new Map(
    lists.flatMap(({ keys }) => keys.filter((each) => each.revoked).map((each) => [each.key, each])),
  );
  const sound = lists.filter(({ keys }) => !revoked.has(keys.at(-1)!.key));
  return [
    ...new Map([...sound.flatMap(({ keys }) => keys).map((each) => [each.key, each] as const), ...revoked]).values(),
  ];
}

/** Oldest first. */
function keyListsIn(texts: readonly string[]): KeyList[] {
  const lists = texts.flatMap((text) => {
    try {
      return [openKeyList(text)];
    } catch (error) {
      if (isHoldfastError(error)) return [];
      throw error;
    }
  });
  return lists.toSorted((one, other) => one.revision - other.revision);
}

/** The list with another key that signs from a moment on. */
export function withKey(list: KeyList | undefined, next: { key: string; publicKey: string }, at: string): KeyList {
  const before = (list?.keys ?? []).map((each) => (each.until === undefined ? { ...each, until: at } : each));
  return { revision: (list?.revision ?? 0) + 1, keys: [...before, { ...next, from: at }] };
}

/** The list with a key that is believed no more. */
export function withRevoked(list: KeyList, key: string, revoked: NonNullable<ListedKey['revoked']>): KeyList {
  return {
    revision: list.revision + 1,
    keys: list.keys.map((each) => (each.key === key ? { ...each, revoked } : each)),
  };
}

function noList(why: string): HoldfastError {
  return new HoldfastError('evidence-refused', `the list of signing keys cannot be believed: ${why}`, {
    hint: 'Look at `holdfast ledger verify`: somebody may have written into the ledger.',
  });
}
