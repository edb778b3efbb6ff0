import { randomBytes, scrypt } from 'node:crypto';
import { hostname } from 'node:os';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
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
/** A hostile key file must not make us allocate or compute without end. */
const KDF_MEMORY_LIMIT_BYTES = 1024 * 1024 * 1024;
const KDF_MAX_PARALLELISATION = 64;

async function deriveKey(password: string, salt: Buffer, { N, r, p }: KdfParameters): Promise<SealingKey> {
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const maxmem = 128 * N * r + 128 * r * p + 1024 * 1024;
    scrypt(Buffer.from(password, 'utf8'), salt, 64, { N, r, p, maxmem }, (error, key) =>
      error ? reject(error) : resolve(key),
    );
    // Needed next, whichever key it is: another thread is at work for a tenth of a second.
    loadSodium();
  });
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
  const derived = await deriveKey(password, salt, kdf);
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
 * @throws repository-damaged, repository-unsupported when the file is none that can be tried
 */
export async function decodeKeyFile(bytes: Uint8Array, password: string): Promise<SealingKey | undefined> {
  const file = asRecord(parseJsonDocument(Buffer.from(bytes).toString('utf8')), 'a key file');
  if (file['kdf'] !== 'scrypt') {
    throw new HoldfastError(
      'repository-unsupported',
      `a key file uses the unknown key derivation ${stringifyExactJson(file['kdf'])}`,
    );
  }
  const derived = await deriveKey(password, base64(file['salt']), checkedKdf(file));
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
  const { N, r, p } = file as { N: unknown; r: unknown; p: unknown };
  const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
  const powerOfTwo = whole(N) && Number.isInteger(Math.log2(N)) && N > 1;
  // scrypt takes 128 r N bytes for its work and 128 r p for its blocks.
  const bounded = powerOfTwo && whole(r) && whole(p) && 128 * r * (N + p) <= KDF_MEMORY_LIMIT_BYTES;
  if (!bounded || p > KDF_MAX_PARALLELISATION) {
    throw new HoldfastError('repository-damaged', 'a key file asks for impossible key derivation parameters');
  }
  return { N, r, p };
}

function base64(value: unknown): Buffer {
  if (typeof value !== 'string') throw new HoldfastError('repository-damaged', 'a key file lacks a part');
  return Buffer.from(value, 'base64');
}
