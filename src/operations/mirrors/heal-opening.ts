import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { findUnopenable, ownerOf, type Repository, readEpoch, succeeds } from '../../repository/index.ts';
import type { ObjectStore } from '../../store/index.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import type { Healing } from './healed-object.ts';
import { namedAsRemoved } from './removals.ts';

/** What a repository without its configuration, or without the key file of a password, is refused with. */
const UNOPENABLE = ['no-repository', 'repository-damaged', 'wrong-password'] as const;

/**
 * Opens a repository of the plan, or a mirror, past every cache, for who repairs it. Where its configuration or its key
 * files are missing or damaged, they are taken from a mirror and put back first.
 *
 * The password stays what it was: it has to open the mirror by the mirror's own key file, and the key that comes of it has
 * to open what is sealed in the repository. A key file that an event names as removed is not put back.
 * @throws as `openToRead`, where no mirror helps; mirror-refused where what is there is another repository's, or older than
 *   the mirror, which was made the primary since
 */
export async function openRepaired(
  workspace: Workspace,
  name: string,
): Promise<{ opened: OpenedRepository; healed: Healing[] }> {
  try {
    return { opened: await workspace.openToRead(name, { uncached: true, hidden: true }), healed: [] };
  } catch (error) {
    if (!isHoldfastError(error) || !UNOPENABLE.some((code) => code === error.code)) throw error;
    const healed = await healOpening(workspace, name, error);
    if (healed.length === 0) throw error;
    const opened = await workspace.openToRead(name, { uncached: true });
    for (const { object, from } of healed) {
      await opened.ledger.append('object.healed', { repository: name, object, from, reason: error.message });
    }
    return { opened, healed };
  }
}

/** @param reason what the repository was refused with. @returns what was put back: nothing where no mirror has more */
async function healOpening(workspace: Workspace, name: string, reason: HoldfastError): Promise<Healing[]> {
  const { store } = await workspace.storeOf(name);
  for (const from of workspace.mirrorsOf(name)) {
    const copy = await openIfPossible(workspace, from);
    if (copy === undefined) continue;
    await assertMayHeal(store, copy.repository, { name, from, reason });
    const broken = await findUnopenable(store, copy.repository);
    const removed = await removedKeys(
      workspace,
      { name, store, copy },
      broken.map(({ key }) => key),
    );
    const healed: Healing[] = [];
    for (const { key, reason: why, bytes } of broken.filter((each) => !removed.has(each.key))) {
      await store.put(key, bytes);
      const note = `${key} of ${name} was taken from ${from}, since ${why}; it was put back`;
      healed.push({ object: key, from, putBack: true, note });
    }
    if (healed.length > 0) return healed;
  }
  return [];
}

async function openIfPossible(workspace: Workspace, mirror: string): Promise<OpenedRepository | undefined> {
  try {
    return await workspace.openToRead(mirror, { uncached: true });
  } catch (error) {
    // The next one may help; when none does, what was wrong with the repository itself is thrown.
    if (!isHoldfastError(error)) throw error;
    return undefined;
  }
}

/** @throws mirror-refused; the reason, with what can be done, where nothing of a repository is there */
async function assertMayHeal(
  store: ObjectStore,
  copy: Repository,
  { name, from, reason }: { name: string; from: string; reason: HoldfastError },
): Promise<void> {
  const owner = await ownerOf(store, copy);
  if (owner === 'nobody') {
    throw new HoldfastError(reason.code, reason.message, {
      hint: `Nothing of a repository is there: check the place that the plan names, and that its disk is mounted. If all is lost, \`holdfast repository promote ${from}\` makes the mirror the repository.`,
      context: reason.context,
      cause: reason,
    });
  }
  const refused = (how: string, hint: string): HoldfastError =>
    new HoldfastError('mirror-refused', `${name} cannot be mended from ${from}: ${how}`, {
      hint: `Nothing was changed. ${hint}`,
      cause: reason,
    });
  if (owner === 'another') {
    throw refused('what lies there is not of the same repository', 'Check the places that the plan names for both.');
  }
  if (!succeeds(await readEpoch(copy, store), await readEpoch(copy))) {
    throw refused(
      'the mirror was made the primary itself since',
      'Change the plan: what it calls the mirror is the repository now.',
    );
  }
}

/** Which of these key files somebody removed on purpose, by either ledger: the mirror's may be behind. */
async function removedKeys(
  workspace: Workspace,
  { name, store, copy }: { name: string; store: ObjectStore; copy: OpenedRepository },
  keys: readonly string[],
): Promise<Set<string>> {
  const own = workspace.attach(name, copy.repository.through(store));
  const removed = new Set<string>();
  let readLedgers = 0;
  let damage: unknown;
  for (const each of [own, copy]) {
    try {
      for (const key of await namedAsRemoved(workspace, each, keys)) removed.add(key);
      readLedgers++;
    } catch (error) {
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      damage = error;
    }
  }
  if (readLedgers === 0) throw damage;
  return removed;
}
