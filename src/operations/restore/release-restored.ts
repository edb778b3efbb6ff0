import { findSnapshot, loadIndex, Reader } from '../../repository/index.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { Workspace } from '../workspace.ts';
import { type RestoreRequest, targetOf } from './restore.ts';

/**
 * Takes away what marks a database or a server as being filled by a run, once that is known to have filled it. Harmless where it
 * has no mark, or another run's.
 * @throws unknown-snapshot; target-failed, target-unsuitable; what keeps the repository from being read
 */
export async function releaseRestored(
  workspace: Workspace,
  { source, snapshot, to, begunBy }: Required<Pick<RestoreRequest, 'source' | 'snapshot' | 'to' | 'begunBy'>>,
): Promise<void> {
  const [planned] = workspace.sources([source]);
  const { repository } = await workspace.openToRead(workspace.repositoryName(planned!.repository));
  const { snapshots } = await readableSnapshots(repository);
  const reader = new Reader(await loadIndex(repository), findSnapshot(snapshots, snapshot));
  try {
    const { signal } = workspace.environment;
    await (await workspace.createSource(planned!)).release?.(reader, targetOf(to), { begunBy, signal });
  } finally {
    await reader.close();
  }
}
