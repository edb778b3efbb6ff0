import { type HeldLock, lockRepository } from '../repository/index.ts';
import type { OpenedRepository, Workspace } from './workspace.ts';

/** Work under a lock of a repository, which is released however the work ends. @throws repository-locked */
export async function withLock<T>(
  { environment }: Workspace,
  { repository }: OpenedRepository,
  { exclusive }: { exclusive: boolean },
  work: (lock: HeldLock) => Promise<T>,
): Promise<T> {
  const lock = await lockRepository(repository, { exclusive, clock: environment.clock });
  try {
    return await work(lock);
  } finally {
    await lock.release();
  }
}
