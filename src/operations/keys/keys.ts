import { addKey, changePassword, listKeys, type RepositoryKey, removeKey } from '../../repository/index.ts';
import { requireApproval } from '../approvals/approvals.ts';
import { eachRepository, type OfRepositories } from '../attempt-each.ts';
import { withLock } from '../locked.ts';
import { takesTwoPersons } from '../revisions/revisions.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface KeysOfRepository {
  repository: string;
  keys: RepositoryKey[];
}

/** The keys of a repository, or of all that the plan names. @throws what keeps all from being read, where that is of one kind */
export async function keysOf(workspace: Workspace, name?: string): Promise<OfRepositories<KeysOfRepository>> {
  const names = name === undefined ? workspace.plan.repositories.keys() : [name];
  return eachRepository(workspace, names, async (repository) => ({
    repository,
    keys: await listKeys((await workspace.open(repository)).repository),
  }));
}

export interface KeyChange {
  repository: string;
  /** Id of the key that was added, if one was. */
  added?: string;
  /** Id of the key that was removed, if one was. */
  removed?: string;
}

/**
 * Adds a password to a repository.
 * @param kdf what trying one costs; what is right for a person's password, when left out
 * @throws repository-locked, bad-usage
 */
export async function addPassword(
  workspace: Workspace,
  name: string,
  password: string,
  kdf?: Parameters<typeof addKey>[3],
): Promise<KeyChange> {
  const opened = await workspace.open(name);
  return withLock(workspace, opened, { exclusive: false }, async () => {
    const added = await addKey(opened.repository, password, workspace.environment.clock, kdf);
    return record(opened, { repository: name, added });
  });
}

/** Takes a password away, alone: two who each removed the other's would leave none. @throws repository-locked, unknown-key, key-in-use */
export async function removePassword(
  workspace: Workspace,
  name: string,
  { key, dryRun }: { key: string; dryRun: boolean },
): Promise<KeyChange> {
  const opened = await workspace.open(name);
  if (dryRun) return { repository: name, removed: await removeKey(opened.repository, key, { dryRun: true }) };
  await guardKeys(workspace, async () => `key ${await removeKey(opened.repository, key, { dryRun: true })} of ${name}`);
  return withLock(workspace, opened, { exclusive: true }, async () => {
    const removed = await removeKey(opened.repository, key, { announce: announcing(opened) });
    return record(opened, { repository: name, removed });
  });
}

/** Replaces the password that opened the repository. @throws repository-locked, bad-usage */
export async function replacePassword(workspace: Workspace, name: string, password: string): Promise<KeyChange> {
  const opened = await workspace.open(name);
  await guardKeys(workspace, async () => `the password of ${name} in use`);
  return withLock(workspace, opened, { exclusive: true }, async () => {
    const changed = await changePassword(opened.repository, password, workspace.environment.clock, {
      announce: announcing(opened),
    });
    return record(opened, { repository: name, ...changed });
  });
}

/** @param subject what exactly is to be approved, found out only where that is needed */
async function guardKeys(workspace: Workspace, subject: () => Promise<string>): Promise<void> {
  if (!(await takesTwoPersons(workspace, 'key-remove'))) return;
  const why = 'a password is to be taken away';
  await requireApproval(workspace, { action: 'key-remove', subject: await subject(), why });
}

function announcing({ name, ledger }: OpenedRepository): (key: string) => Promise<void> {
  return (key) => ledger.append('key.removing', { repository: name, key });
}

async function record({ ledger }: OpenedRepository, change: KeyChange): Promise<KeyChange> {
  const { repository, added, removed } = change;
  if (added !== undefined) await ledger.append('key.added', { repository, key: added });
  if (removed !== undefined) await ledger.append('key.removed', { repository, key: removed });
  return change;
}
