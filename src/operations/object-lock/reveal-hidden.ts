import type { Progress } from '../../foundation/progress.ts';
import { findHidden, type HiddenObject, LEDGER_PREFIX, lockIn, reveal, versionsByKey } from '../../repository/index.ts';
import type { Healing } from '../mirrors/healed-object.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { lockPolicyOf, lockScope } from './lock-scope.ts';

/** Where what was hidden is said to have come from. */
export const OLDER_VERSION = 'an older version';

/**
 * Brings back all that somebody hid in a repository whose objects are locked, or in a mirror.
 * @returns what was brought back; nothing where the plan locks nothing there
 */
export async function revealHidden(
  workspace: Workspace,
  opened: OpenedRepository,
  progress: Progress,
): Promise<Healing[]> {
  const { name, repository } = opened;
  const { store } = repository;
  const policy = lockPolicyOf(workspace, name);
  if (policy === undefined) return [];
  const { namedAsRemoved } = lockScope(workspace, opened, { store, policy, progress });
  const ledger = (await opened.primaryLedger?.()) ?? opened.ledger;
  progress.phase('looking for what is hidden');
  const versions = await versionsByKey(lockIn(store), '');
  const isEvent = ([key]: [string, unknown]): boolean => key.startsWith(LEDGER_PREFIX);
  const events = new Map([...versions].filter(isEvent));
  // The ledger first: it says what was to be removed, and nothing of it ever is.
  const nothing = async () => new Set<string>();
  const hidden = await findHidden(repository, { store, versions: events, namedAsRemoved: nothing });
  const healings: Healing[] = [];
  for (const each of hidden) healings.push(await bringBack(opened, each));
  const others = new Map([...versions].filter((entry) => !isEvent(entry)));
  for (const each of await findHidden(repository, { store, versions: others, namedAsRemoved })) {
    healings.push(await bringBack(opened, each));
  }
  for (const { object, note: reason } of healings) {
    await ledger.append('object.healed', { repository: name, object, from: OLDER_VERSION, reason });
  }
  return healings;
}

/** One hidden object, without a record of it. */
export async function bringBack({ name, repository }: OpenedRepository, hidden: HiddenObject): Promise<Healing> {
  const { key, how } = hidden;
  const done = await reveal(repository.store, hidden);
  const behind = how === 'deleted' ? 'a delete marker' : 'another content';
  const note = `${key} of ${name} was hidden behind ${behind}; it was ${done === 'uncovered' ? 'uncovered' : 'stored again'}`;
  return { object: key, from: OLDER_VERSION, putBack: true, note };
}
