import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fingerprintOf, parsePublicKey } from '../../evidence/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import { resolveSecret } from '../../plan/index.ts';
import type { Workspace } from '../workspace.ts';
import type { KitContent } from './kit-content.ts';

/** The keys that vouch for what Holdfast signed. Where the private one cannot be had here, the file beside it is taken. */
export async function publicKeysOf({ plan, references }: Workspace): Promise<KitContent['publicKeys']> {
  const { signingKey } = plan.ledger;
  if (signingKey === undefined) return [];
  const key = parsePublicKey(
    await resolveSecret(signingKey, references).catch(async (error: unknown) => {
      if (!isHoldfastError(error) || typeof signingKey === 'string' || !('file' in signingKey)) throw error;
      return readFile(resolve(plan.directory, `${signingKey.file}.pub`), 'utf8').catch(() => {
        throw error;
      });
    }),
  );
  const pem = key.export({ type: 'spki', format: 'pem' }) as string;
  return [{ purpose: 'ledger', fingerprint: fingerprintOf(key), pem }];
}
