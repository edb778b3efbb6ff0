import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { awaitedLater } from '../foundation/promises.ts';
import { isBounded, type ScryptInput, scryptKey } from '../foundation/scrypt.ts';
import { currentUser } from '../foundation/user.ts';
import { stringifyExactJson } from './exact-json.ts';
import { asRecord, parseJsonDocument } from './sealed-json.ts';
import { loadSodium, type SealingKey, seal, unseal } from './sealing.ts';
import { formatTimeMs } from './time.ts';

/**
 * A key file: the repository's master key, sealed under a key that scrypt derives from a password.
 * It is plain JSON, named by the SHA-256 of its bytes. Source: restic's design document, "Keys, Encryption and MAC".
 */

export interface KdfParameters {
  N: number;
  r: number;
  p: number;
}

/** What OWASP's password storage cheat sheet asks of scrypt is within a factor of two; a command must start quickly, too. */
const KDF: KdfParameters = { N: 32768, r: 8, p: 2 };

/** @param meanwhile is called once the derivation is under way, with what goes into it beside the password */
async function deriveKey(
  password: string,
  input: ScryptInput,
  meanwhile: (input: ScryptInput) => void = () => {},
): Promise<SealingKey> {
  const deriving = awaitedLater(scryptKey(password, input));
  // Needed next, whichever key it is: another thread is at work for a tenth of a second.
  loadSodium();
  meanwhile(input);
  const bytes = await deriving;
  return { encrypt: bytes.subarray(0, 32), macK: bytes.subarray(32, 48), macR: bytes.subarray(48, 64) };
}

export function newSealingKey(): SealingKey {
  return { encrypt: randomBytes(32), macK: randomBytes(16), macR: randomBytes(16) };
}

/** The bytes of a new key file that opens `master` with `password`. `kdf` is for tests. */
export async function encodeKeyFile(
  master: SealingKey,
  password: string,
  nowMs: number,
  kdf: KdfParameters = KDF,
): Promise<Buffer> {
  const salt = randomBytes(64);
  const derived = await deriveKey(password, { salt, ...kdf });
  const data = {
    mac: { k: master.macK.toString('base64'), r: master.macR.toString('base64') },
    encrypt: master.encrypt.toString('base64'),
  };
  return Buffer.from(
    JSON.stringify({
      created: formatTimeMs(nowMs),
      username: currentUser().username,
      hostname: hostname(),
      kdf: 'scrypt',
      ...kdf,
      salt: salt.toString('base64'),
      data: seal(derived, Buffer.from(JSON.stringify(data))).toString('base64'),
    }),
  );
}

/** What a key file says of itself, in plain text: it is not authenticated, and fit for a list only. */
export interface KeyDescription {
  /** RFC 3339, as it stands in the file; empty where it says nothing. */
  created: string;
  username: string;
  hostname: string;
}

/** @throws repository-damaged when it is no key file */
export function describeKeyFile(bytes: Uint8Array): KeyDescription {
  const file = asRecord(parseJsonDocument(Buffer.from(bytes).toString('utf8')), 'a key file');
  const text = (name: string): string => (typeof file[name] === 'string' ? file[name] : '');
  return { created: text('created'), username: text('username'), hostname: text('hostname') };
}

/**
 * The master key that a key file holds; undefined when the password is not the one of this file.
 * @param meanwhile is called when the derivation is under way, which takes one processor for a tenth of a second or more, with
 *   what goes into it beside the password
 * @throws repository-damaged, repository-unsupported when the file is none that can be tried
 */
export async function decodeKeyFile(
  bytes: Uint8Array,
  password: string,
  meanwhile?: (input: ScryptInput) => void,
): Promise<SealingKey | undefined> {
  const file = asRecord(parseJsonDocument(Buffer.from(bytes).toString('utf8')), 'a key file');
  if (file['kdf'] !== 'scrypt') {
    throw new HoldfastError(
      'repository-unsupported',
      `a key file uses the unknown key derivation ${stringifyExactJson(file['kdf'])}`,
    );
  }
  const derived = await deriveKey(password, { salt: base64(file['salt']), ...checkedKdf(file) }, meanwhile);
  const sealed = base64(file['data']);
  let master: Buffer;
  try {
    master = unseal(derived, sealed);
  } catch (error) {
    if (isHoldfastError(error, 'repository-damaged')) return undefined;
    throw error;
  }
  return decodeMaster(master);
}

function decodeMaster(plain: Buffer): SealingKey {
  const master = asRecord(parseJsonDocument(plain.toString('utf8')), 'a master key');
  const mac = asRecord(master['mac'], 'a master key');
  const key = { encrypt: base64(master['encrypt']), macK: base64(mac['k']), macR: base64(mac['r']) };
  if (key.encrypt.length !== 32 || key.macK.length !== 16 || key.macR.length !== 16) {
    throw new HoldfastError('repository-damaged', 'a master key has parts of the wrong length');
  }
  return key;
}

function checkedKdf(file: Record<string, unknown>): KdfParameters {
  const { N, r, p } = file as { N: number; r: number; p: number };
  if (isBounded({ N, r, p })) return { N, r, p };
  throw new HoldfastError('repository-damaged', 'a key file asks for impossible key derivation parameters');
}

function base64(value: unknown): Buffer {
  if (typeof value !== 'string') throw new HoldfastError('repository-damaged', 'a key file lacks a part');
  return Buffer.from(value, 'base64');
}
