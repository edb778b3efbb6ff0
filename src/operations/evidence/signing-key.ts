import type { KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { fingerprintOf, newSigningKey, parseSigningKey, publicKeyOf } from '../../evidence/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { writeNewFile } from '../../foundation/new-file.ts';
import { type Plan, resolveSecret } from '../../plan/index.ts';
import type { Workspace } from '../workspace.ts';

export const PRIVATE_MODE = 0o600;
export const PUBLIC_MODE = 0o644;

/** The key of the plan that signs checkpoints and evidence. */
export interface SigningKey {
  privateKey: KeyObject;
  fingerprint: string;
  /** PEM. */
  publicKey: string;
}

/** @throws bad-usage when the plan names none; secret-unavailable */
export async function readSigningKey({ plan, references }: Workspace): Promise<SigningKey> {
  const { signingKey } = plan.ledger;
  if (signingKey === undefined) {
    throw new HoldfastError('bad-usage', 'the plan names no key that the ledger and evidence are signed with', {
      hint: 'Give it one under `ledger:`, such as `signingKey: { file: signing.pem }`; `holdfast init` makes it.',
    });
  }
  const privateKey = parseSigningKey(await resolveSecret(signingKey, references));
  return { privateKey, fingerprint: fingerprintOf(privateKey), publicKey: publicKeyOf(privateKey) };
}

/** Where the plan's key lies, absolute; undefined where it is no file. */
export function signingKeyFile({ ledger: { signingKey }, directory }: Plan): string | undefined {
  if (typeof signingKey !== 'object' || !('file' in signingKey)) return undefined;
  return resolve(directory, signingKey.file);
}

/**
 * Makes the key that the plan has the ledger signed with, where that is a file which is not there; beside it, the public one.
 * @returns the paths of both, where they were made
 * @throws target-failed
 */
export async function makeSigningKey({ plan }: Workspace): Promise<{ file: string; publicFile: string } | undefined> {
  const file = signingKeyFile(plan);
  if (file === undefined) return undefined;
  const publicFile = `${file}.pub`;
  const pem = newSigningKey();
  if (!(await writeNewFile(file, pem, PRIVATE_MODE))) return undefined;
  // Of an earlier key, whose file is gone: nobody could tell whose it is.
  if (!(await writeNewFile(publicFile, publicKeyOf(pem), PUBLIC_MODE))) {
    throw new HoldfastError('target-failed', `${publicFile} is there already, and ${file} was not`, {
      hint: `The public key of an earlier signing key lies there. Move it away, and write the new one with \`openssl pkey -in ${file} -pubout\`.`,
    });
  }
  return { file, publicFile };
}
