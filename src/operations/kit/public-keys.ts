import { fingerprintOf, parsePublicKey } from '../../evidence/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import { readGivenFile } from '../../foundation/given-file.ts';
import { resolveSecret } from '../../plan/index.ts';
import type { ListedKey } from '../evidence/key-list.ts';
import { readKeyRegister } from '../evidence/key-register.ts';
import { signingKeyFile } from '../evidence/signing-key.ts';
import type { Workspace } from '../workspace.ts';
import type { KitContent } from './kit-content.ts';

const LARGEST_KEY_BYTES = 64 * 1024;

type PublicKeys = KitContent['publicKeys'];

/**
 * The keys that vouch for what Holdfast signed: the plan's, and those before it that are not revoked. Where the private key
 * cannot be had here, the public one is taken that lies beside it.
 * @throws secret-unavailable
 */
export async function publicKeysOf(workspace: Workspace): Promise<PublicKeys> {
  if (workspace.plan.ledger.signingKey === undefined) return [];
  const own = await keyOfPlan(workspace);
  const earlier = (await listedKeys(workspace)).filter(({ fingerprint }) => fingerprint !== own.fingerprint);
  return [own, ...earlier].map((key) => ({ purpose: 'signing', ...key }));
}

type Key = Pick<PublicKeys[number], 'fingerprint' | 'pem'>;

async function keyOfPlan({ plan, references }: Workspace): Promise<Key> {
  const file = signingKeyFile(plan);
  const pem = await resolveSecret(plan.ledger.signingKey!, references).catch(async (error: unknown) => {
    if (!isHoldfastError(error) || file === undefined) throw error;
    const bytes = await readGivenFile(`${file}.pub`, LARGEST_KEY_BYTES).catch(() => {
      throw error;
    });
    return bytes.toString('utf8');
  });
  const key = parsePublicKey(pem);
  return { fingerprint: fingerprintOf(key), pem: key.export({ type: 'spki', format: 'pem' }) as string };
}

/** Where no ledger can be read, the plan's key stands for itself. */
async function listedKeys(workspace: Workspace): Promise<Key[]> {
  const valid = (await registered(workspace)).filter(({ revoked }) => revoked === undefined);
  return valid.map(({ key, publicKey }) => ({ fingerprint: key, pem: publicKey }));
}

/** The fingerprints of keys of which nothing is believed any more, as far as the ledger can be read. */
export async function revokedKeysOf(workspace: Workspace): Promise<ReadonlySet<string>> {
  if (workspace.plan.ledger.signingKey === undefined) return new Set();
  return new Set((await registered(workspace)).flatMap(({ key, revoked }) => (revoked === undefined ? [] : [key])));
}

async function registered(workspace: Workspace): Promise<readonly ListedKey[]> {
  try {
    return (await readKeyRegister(workspace)).list?.keys ?? [];
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return [];
  }
}
