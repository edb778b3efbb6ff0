import { fingerprintOf, newSigningKey, parseSigningKey, publicKeyOf } from '../../evidence/index.ts';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { readGivenFile } from '../../foundation/given-file.ts';
import { replaceFile, writeFileAnew, writeNewFile } from '../../foundation/new-file.ts';
import { hasCheckpoint, type SignedLedger, signLedgers } from '../ledger/checkpoints.ts';
import type { Workspace } from '../workspace.ts';
import { type KeyList, type ListedKey, sealKeyList, withKey, withRevoked } from './key-list.ts';
import {
  assertSigns,
  type KeyRegister,
  readKeyRegister,
  recordKeyList,
  signingBy,
  spreadKeyList,
} from './key-register.ts';
import { PRIVATE_MODE, PUBLIC_MODE, readSigningKey, type SigningKey, signingKeyFile } from './signing-key.ts';
import { changeKeysAlone } from './sole-change.ts';

const LARGEST_KEY_BYTES = 64 * 1024;

/** What became of the keys that sign. */
export interface ChangedKeys {
  /** `finished`: what had been cut off was brought to its end. */
  change: 'rotated' | 'revoked' | 'finished' | 'none';
  /** The fingerprint of the key that signs now. */
  key: string;
  keys: ListedKey[];
  /** Where the new key lies, and the public one beside it. */
  file?: string;
  publicFile?: string;
  /** The ledgers that the new key has signed, where they had been signed before. */
  checkpoints: SignedLedger[];
}

/**
 * Gives the plan another signing key: the ledger has it, signed by both, then it takes the place of the one before, of which
 * only the public key is kept. Cut off in between, the same again goes on. Where the plan's key is no file, or was put there by
 * hand, the one that is there now is recorded.
 * @throws repository-locked while somebody else changes the keys; bad-usage where there is nothing new to record;
 *   signing-key-refused; target-failed; what keeps a repository from being opened
 */
export function rotateSigningKey(workspace: Workspace, why?: string): Promise<ChangedKeys> {
  return changeKeysAlone(workspace, async (confirm) => rotate(workspace, await stateOf(workspace, confirm), why));
}

async function rotate(workspace: Workspace, state: State, why: string | undefined): Promise<ChangedKeys> {
  const { own, list } = state;
  const finished = await finish(workspace, state);
  if (finished !== undefined) return finished;
  if (list !== undefined && !list.keys.some(({ key }) => key === own.fingerprint)) {
    const { signedAt } = signingBy(workspace, own);
    const adopted = withKey(list, { key: own.fingerprint, publicKey: own.publicKey }, signedAt);
    return record(workspace, state, { list: adopted, by: [own], change: 'rotated', why });
  }
  if (list !== undefined) assertSigns(list, own);
  const next = await nextKey(workspace);
  const { signedAt } = signingBy(workspace, own);
  const before = list ?? withKey(undefined, { key: own.fingerprint, publicKey: own.publicKey }, signedAt);
  const after = withKey(before, { key: next.fingerprint, publicKey: next.publicKey }, signedAt);
  return record(workspace, state, { list: after, by: [next, own], change: 'rotated', why });
}

/**
 * Says that others may have had a key since a moment: nothing that it signed is believed any more. Where it is the one that
 * signs, another one takes its place at once.
 * @throws unknown-key; bad-usage; and as `rotateSigningKey`
 */
export function revokeSigningKey(workspace: Workspace, revoked: Revocation): Promise<ChangedKeys> {
  return changeKeysAlone(workspace, async (confirm) => revoke(workspace, await stateOf(workspace, confirm), revoked));
}

async function revoke(
  workspace: Workspace,
  state: State,
  { key: given, sinceMs, why }: Revocation,
): Promise<ChangedKeys> {
  const { own, list } = state;
  const finished = await finish(workspace, state);
  const known = (list?.keys ?? [{ key: own.fingerprint, publicKey: own.publicKey, from: '' }]).filter(
    ({ key }) => given !== '' && key.startsWith(given),
  );
  if (known.length !== 1) throw unknownKey(given, known.length);
  const [{ key, revoked: before }] = known as [ListedKey];
  if (before !== undefined)
    return finished ?? { change: 'none', key: own.fingerprint, keys: list!.keys, checkpoints: [] };
  const current = finished === undefined ? own : await readSigningKey(workspace);
  if (list !== undefined) assertSigns(list, current);
  const { signedAt: at } = signingBy(workspace, current);
  const revoked = { since: new Date(sinceMs).toISOString(), at, why };
  const listed = list ?? withKey(undefined, { key: own.fingerprint, publicKey: own.publicKey }, at);
  if (key !== current.fingerprint) {
    return record(workspace, state, { list: withRevoked(listed, key, revoked), by: [current], change: 'revoked', why });
  }
  const next = await nextKey(workspace);
  const after = withKey(listed, { key: next.fingerprint, publicKey: next.publicKey }, at);
  // Its own word counts for nothing any more: the new key alone signs.
  const revision = after.revision;
  return record(workspace, state, {
    list: { ...withRevoked(after, key, revoked), revision },
    by: [next],
    change: 'revoked',
    why,
    about: key,
  });
}

interface Revocation {
  /** Its fingerprint, or how that begins. */
  key: string;
  /** Milliseconds since 1970. */
  sinceMs: number;
  why: string;
}

interface State {
  own: SigningKey;
  register: KeyRegister;
  list: KeyList | undefined;
  /** Before anything is recorded. @throws lock-lost where somebody else changes the keys by now */
  confirm(): Promise<void>;
}

async function stateOf(workspace: Workspace, confirm: State['confirm']): Promise<State> {
  const own = await readSigningKey(workspace);
  const register = await readKeyRegister(workspace);
  return { own, register, list: register.list, confirm };
}

interface Change {
  list: KeyList;
  /** The last of the list first. */
  by: readonly [SigningKey, ...SigningKey[]];
  change: 'rotated' | 'revoked';
  why: string | undefined;
  /** Of which key, where not of the one that signs. */
  about?: string;
}

async function record(
  workspace: Workspace,
  { register, confirm }: State,
  { list, by, change, why, about }: Change,
): Promise<ChangedKeys> {
  const [signer] = by;
  const envelope = sealKeyList(
    list,
    signingBy(workspace, signer),
    by.map(({ privateKey }) => privateKey),
  );
  const key = about ?? signer.fingerprint;
  await confirm();
  await recordKeyList(register, list, { change, key, ...(why !== undefined && { why }), envelope });
  const installed = await install(workspace, signer.fingerprint);
  const checkpoints = await signAnew(workspace);
  return { change, key: signer.fingerprint, keys: list.keys, ...installed, checkpoints };
}

/** Brings a change to its end that was recorded, and cut off before its key was in place. */
async function finish(workspace: Workspace, { own, register, list }: State): Promise<ChangedKeys | undefined> {
  const current = list?.keys.at(-1);
  if (current === undefined || current.key === own.fingerprint) return undefined;
  await spreadKeyList(register);
  const installed = await install(workspace, current.key);
  if (installed === undefined) return undefined;
  const checkpoints = await signAnew(workspace);
  return { change: 'finished', key: current.key, keys: list!.keys, ...installed, checkpoints };
}

/** The key that is to sign next: made beside the plan's, or found there from a time before. @throws bad-usage where the plan's is no file */
async function nextKey(workspace: Workspace): Promise<SigningKey> {
  const file = signingKeyFile(workspace.plan);
  if (file === undefined) {
    throw new HoldfastError(
      'bad-usage',
      "the plan's signing key is no file, and Holdfast cannot put another one there",
      {
        hint: 'Put a new key where the plan refers to (`openssl genpkey -algorithm ed25519`), then say `holdfast evidence rotate`.',
      },
    );
  }
  await writeNewFile(nextFile(file), newSigningKey(), PRIVATE_MODE);
  return (await keyIn(nextFile(file)))!;
}

/** Puts the next key in its place, if it is this one. */
async function install(
  { plan }: Workspace,
  fingerprint: string,
): Promise<{ file: string; publicFile: string } | undefined> {
  const file = signingKeyFile(plan);
  const next = file === undefined ? undefined : await keyIn(nextFile(file));
  if (file === undefined || next?.fingerprint !== fingerprint) return undefined;
  const publicFile = `${file}.pub`;
  await writeFileAnew(publicFile, next.publicKey, PUBLIC_MODE);
  await replaceFile(file, nextFile(file));
  return { file, publicFile };
}

function nextFile(file: string): string {
  return `${file}.next`;
}

async function keyIn(path: string): Promise<SigningKey | undefined> {
  let pem: string;
  try {
    pem = (await readGivenFile(path, LARGEST_KEY_BYTES)).toString('utf8');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw new HoldfastError('path-missing', `${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const privateKey = parseSigningKey(pem);
  return { privateKey, fingerprint: fingerprintOf(privateKey), publicKey: publicKeyOf(privateKey) };
}

/** What the key before had vouched for, the new one vouches for from now on. */
async function signAnew(workspace: Workspace): Promise<SignedLedger[]> {
  const signed: string[] = [];
  for (const name of workspace.homeNames) {
    if (await hasCheckpoint(await workspace.open(name))) signed.push(name);
  }
  return signed.length === 0 ? [] : signLedgers(workspace, signed);
}

function unknownKey(given: string, count: number): HoldfastError {
  const how = count > 1 ? `${count} signing keys begin` : 'no signing key begins';
  return new HoldfastError('unknown-key', `${how} with ${JSON.stringify(given)}`, {
    hint: 'See `holdfast evidence keys`.',
  });
}
