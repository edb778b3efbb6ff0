import type { Workspace } from '../workspace.ts';
import type { ListedKey } from './key-list.ts';
import { assertSigns, readKeyRegister } from './key-register.ts';
import { readSigningKey } from './signing-key.ts';

export interface ListedKeys {
  /** Oldest first; none where none was recorded. */
  keys: ListedKey[];
  /** The fingerprint of the plan's key. */
  current: string;
}

/** The keys that ever signed for the plan. @throws bad-usage where it names none; secret-unavailable; signing-key-refused */
export async function listSigningKeys(workspace: Workspace): Promise<ListedKeys> {
  const own = await readSigningKey(workspace);
  const { list } = await readKeyRegister(workspace);
  if (list !== undefined) assertSigns(list, own);
  return { keys: list?.keys ?? [], current: own.fingerprint };
}
