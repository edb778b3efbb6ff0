import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, systemCode, systemReason } from '../../foundation/errors.ts';
import { sha256 } from '../../ledger/index.ts';
import { filesOf, type KitContent, unpackKit } from './kit-content.ts';
import { passphraseIn } from './passphrase.ts';
import { readKitFile, unsealKit, writePrivate } from './sealed-kit.ts';

export interface OpenedKit {
  /** As it was named. */
  file: string;
  /** SHA-256 (hex) of the sealed file. */
  sha256: string;
  content: KitContent;
}

interface Opening {
  file: string;
  /** The passphrase, or the shares that give it, one behind the other. */
  passphrase: string;
}

/** Opens a kit. @throws path-missing, kit-damaged, wrong-password, too-few-shares, repository-unsupported */
export async function openKit({ file, passphrase }: Opening): Promise<OpenedKit> {
  const sealed = await readKitFile(file);
  const archive = await unsealKit(sealed, await passphraseIn(passphrase), file);
  return { file, sha256: sha256(sealed), content: unpackKit(archive, file) };
}

/**
 * Writes all that is in a kit to a new directory, for work by hand.
 * @returns the paths of what was written
 * @throws as `openKit`; target-not-empty, target-failed
 */
export async function layOutKit({ file, passphrase }: Opening, to: string): Promise<string[]> {
  const sealed = await readKitFile(file);
  const files = filesOf(await unsealKit(sealed, await passphraseIn(passphrase), file), file);
  await makeNew(to);
  const paths: string[] = [];
  for (const each of files) {
    const path = join(to, each.path);
    await makeDirectories(dirname(path), 0o700);
    await writePrivate(path, each.text);
    paths.push(path);
  }
  return paths;
}

async function makeNew(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (cause) {
    const isThere = systemCode(cause) === 'EEXIST';
    throw new HoldfastError(
      isThere ? 'target-not-empty' : 'target-failed',
      isThere ? `${directory} is there already` : `${directory} cannot be made: ${systemReason(cause)}`,
      { hint: 'Name a directory that is not there yet, in one that you may write to.', context: { directory }, cause },
    );
  }
}
