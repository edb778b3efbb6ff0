import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import {
  assertMirrorOf,
  createRepository,
  holdsRepository,
  openRepository,
  type Repository,
} from '../../repository/index.ts';
import type { ObjectStore } from '../../store/index.ts';
import { listSigningKey } from '../evidence/key-register.ts';
import { makeSigningKey, readSigningKey } from '../evidence/signing-key.ts';
import { assertLocks, assertNothingHidden } from '../object-lock/assert-locks.ts';
import { lockPolicyOf } from '../object-lock/lock-scope.ts';
import type { Workspace } from '../workspace.ts';

export interface InitResult {
  repositories: { name: string; store: string; created: boolean; id?: string; mirrorOf?: string }[];
  /** The key that the ledger is signed with, where it was made, and the public one beside it. */
  signingKey?: { file: string; publicFile: string };
}

/**
 * Creates the repositories that the plan names and that are not there. For a mirror nothing is made before there is
 * something to be copied; but whether its place can be used is looked at, before anything else is done.
 * @throws repository-exists when there was none to create; mirror-refused; store-unsuitable
 */
export async function initRepositories(workspace: Workspace): Promise<InitResult> {
  const signingKey = await makeSigningKey(workspace);
  const result: InitResult = { repositories: [], ...(signingKey && { signingKey }) };
  const mirrors: InitResult['repositories'] = [];
  for (const { name, of } of workspace.plan.mirrors.values()) mirrors.push(await lookAtMirror(workspace, name, of));
  for (const name of workspace.plan.repositories.keys())
    result.repositories.push(await initRepository(workspace, name));
  if (signingKey !== undefined) await listSigningKey(workspace, await readSigningKey(workspace));
  if (result.repositories.some(({ created }) => created)) {
    return { ...result, repositories: [...result.repositories, ...mirrors] };
  }
  if (signingKey !== undefined) return result;
  const places = result.repositories.map(({ store }) => store).join(', ');
  throw new HoldfastError('repository-exists', `nothing to create: there is a repository at ${places} already`, {
    hint: 'Nothing was changed. Use it as it is, or name another place in the plan.',
  });
}

async function lookAtMirror(
  workspace: Workspace,
  name: string,
  of: string,
): Promise<InitResult['repositories'][number]> {
  const { store } = await workspace.storeOf(name);
  if (lockPolicyOf(workspace, name) !== undefined) await assertLocks(store);
  const primary = await openIfThere(workspace, of);
  const isTaken = await inBucket(store, () => holdsRepository(store));
  if (primary !== undefined) await assertMirrorOf(primary, store);
  else if (isTaken) {
    throw new HoldfastError(
      'mirror-refused',
      `there is a repository at ${store.location}, the place of the mirror ${name}, and none where ${of} is to be`,
      {
        hint: `Nothing was changed. If it is what is left of ${of}, \`holdfast repository promote ${name}\` makes it the repository; else name another place in the plan.`,
        context: { store: store.location },
      },
    );
  }
  return { name, store: store.location, created: false, mirrorOf: of };
}

async function openIfThere(workspace: Workspace, name: string): Promise<Repository | undefined> {
  const { store, password } = await workspace.storeOf(name);
  // Its bucket is made once it is known that nothing is in the way.
  const holds = await holdsRepository(store).catch((error: unknown) => {
    if (isHoldfastError(error, 'no-bucket') && store.makePlace !== undefined) return false;
    throw error;
  });
  if (!holds) return undefined;
  return openRepository(store, await password());
}

async function initRepository(workspace: Workspace, name: string): Promise<InitResult['repositories'][number]> {
  const { store, password } = await workspace.storeOf(name);
  if (lockPolicyOf(workspace, name) !== undefined) {
    await assertLocks(store);
    await assertNothingHidden(store, name);
  }
  try {
    const given = await password();
    const repository = await inBucket(store, () => createRepository(store, given, workspace.environment.clock));
    await workspace
      .attach(name, repository)
      .ledger.append('repository.created', { repository: name, store: store.location });
    return { name, store: store.location, created: true, id: repository.config.id };
  } catch (error) {
    if (!isHoldfastError(error, 'repository-exists')) throw error;
    return { name, store: store.location, created: false };
  }
}

/** With the store's bucket, which is made where there is none yet. */
async function inBucket<T>(store: ObjectStore, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isHoldfastError(error, 'no-bucket') || store.makePlace === undefined) throw error;
    await store.makePlace();
    return work();
  }
}
