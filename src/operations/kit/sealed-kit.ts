/** A kit as a file: what is in it, sealed by a passphrase in the format `age`, which `age -d` opens as well. */
import { Decrypter, Encrypter } from 'age-encryption';
import { HoldfastError, isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { readGivenFile } from '../../foundation/given-file.ts';
import { writeFileAnew } from '../../foundation/new-file.ts';
import { sha256 } from '../../ledger/index.ts';
import { isMade } from './passphrase.ts';

/**
 * Scrypt's N, as a power of two. A passphrase of 128 random bits is safe whatever a try
 * costs, and opens on any machine with 16 MiB; one that a person thought of gets what age itself takes, 256 MiB.
 */
const WORK_FACTOR = { made: 14, own: 18 };
const HEADER_END = '\n--- ';
const LARGEST_BYTES = 16 * 1024 * 1024;

/** What trying one passphrase against a kit of another costs: scrypt's N is 2 to the power of this. */
export function workFactorOf(passphrase: string): number {
  return isMade(passphrase) ? WORK_FACTOR.made : WORK_FACTOR.own;
}

/** Seals bytes by a passphrase. */
export async function sealKit(bytes: Uint8Array, passphrase: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(workFactorOf(passphrase));
  return encrypter.encrypt(bytes);
}

/**
 * Opens a sealed kit.
 * @param file what it is called, for messages
 * @throws kit-damaged when it is none, or not as it was written; wrong-password
 */
export async function unsealKit(sealed: Uint8Array, passphrase: string, file: string): Promise<Uint8Array> {
  if (!isPassphraseSealed(sealed)) throw damaged(file, 'it is no kit, or its beginning is damaged');
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(sealed);
  } catch (error) {
    // What age finds when the key that the passphrase gives does not open the file's own.
    if (!messageOf(error).includes('no identity matched')) throw damaged(file, messageOf(error), error);
    // Of another passphrase and of damage where the file's own key lies, nothing but its digest tells which it is.
    const digest = sha256(sealed);
    throw new HoldfastError(
      'wrong-password',
      `${file} does not open: it takes another passphrase, or its beginning is damaged`,
      {
        hint: `Its SHA-256 is ${digest}. Where the printed page has another one, the file is damaged, or of another time: take another copy. Where it is the same, check each word of the passphrase.`,
        context: { file, sha256: digest },
      },
    );
  }
}

/** The header of a file that is sealed by a passphrase and by nothing else. Source: age-encryption.org/v1. */
function isPassphraseSealed(sealed: Uint8Array): boolean {
  const head = Buffer.from(sealed.subarray(0, 512)).toString('latin1');
  return /^age-encryption\.org\/v1\n-> scrypt [\w+/]{22} [1-9]\d?\n/.test(head) && head.includes(HEADER_END);
}

export function damaged(file: string, how: string, cause?: unknown): HoldfastError {
  return new HoldfastError('kit-damaged', `${file} cannot be used: ${how}`, {
    hint: 'Take another copy of the kit. Its SHA-256 is on the printed page: `sha256sum FILE` shows that of a copy.',
    context: { file },
    ...(cause !== undefined && { cause }),
  });
}

/** @throws path-missing, permission-denied, kit-damaged */
export async function readKitFile(file: string): Promise<Uint8Array> {
  try {
    const bytes = await readGivenFile(file, LARGEST_BYTES);
    if (bytes.length > LARGEST_BYTES) throw damaged(file, `it has more than ${LARGEST_BYTES} bytes, which no kit has`);
    return bytes;
  } catch (cause) {
    if (isHoldfastError(cause)) throw cause;
    const code = systemCode(cause);
    throw new HoldfastError(
      code === 'EACCES' ? 'permission-denied' : 'path-missing',
      code === 'ENOENT' ? `there is no kit at ${file}` : `${file} cannot be read: ${code ?? messageOf(cause)}`,
      {
        hint: 'Name the sealed file with `--kit FILE`. Where plan and repositories are still there, `holdfast kit` makes a new one.',
        context: { file },
        cause,
      },
    );
  }
}

const FILE_MODE = 0o600;

/** Writes a file that only its owner reads: all of it is there, durable, or what was there before. @throws target-failed */
export function writePrivate(path: string, content: string | Uint8Array): Promise<void> {
  return writeFileAnew(path, content, FILE_MODE);
}
