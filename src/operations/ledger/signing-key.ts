import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import type { Workspace } from '../workspace.ts';

const PRIVATE_MODE = 0o600;
const PUBLIC_MODE = 0o644;

/**
 * Makes the key that the plan has the ledger signed with, where that is a file which is not there; beside it, the public one.
 * @returns the paths of both, where they were made
 * @throws target-failed
 */
export async function makeSigningKey({ plan }: Workspace): Promise<{ file: string; publicFile: string } | undefined> {
  const { signingKey } = plan.ledger;
  if (typeof signingKey !== 'object' || !('file' in signingKey)) return undefined;
  const file = resolve(plan.directory, signingKey.file);
  const publicFile = `${file}.pub`;
  const { newSigningKey, publicKeyOf } = await import('../../ledger/index.ts');
  const pem = newSigningKey();
  if (!(await writeNew(file, pem, PRIVATE_MODE))) return undefined;
  // Of an earlier key, whose file is gone: nobody could tell whose it is.
  if (!(await writeNew(publicFile, publicKeyOf(pem), PUBLIC_MODE))) {
    throw new HoldfastError('target-failed', `${publicFile} is there already, and ${file} was not`, {
      hint: `The public key of an earlier signing key lies there. Move it away, and write the new one with \`openssl pkey -in ${file} -pubout\`.`,
    });
  }
  return { file, publicFile };
}

/** @returns whether it was written: what is there stays */
async function writeNew(path: string, text: string, mode: number): Promise<boolean> {
  try {
    const file = await open(path, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return false;
    throw new HoldfastError('target-failed', `${path} cannot be written: ${messageOf(cause)}`, { cause });
  }
}
