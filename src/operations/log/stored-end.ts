import { isHoldfastError } from '../../foundation/errors.ts';
import { listSnapshots, type Repository } from '../../repository/index.ts';
import type { Workspace } from '../workspace.ts';
import { StoredLog } from './stored-log.ts';

/** How far the log of a cluster is stored, and up to which moment that is known to be all there was. */
export interface StoredEnd {
  timeline: number;
  lsn: bigint;
  /** By the server's clock, in milliseconds since 1970. */
  coveredMs?: number;
}

/**
 * What the repository of a source, or where that is out of reach a mirror of it, has of a cluster's log.
 * @returns undefined where nothing of it is stored, or none of them can be read
 */
export async function storedEnd(workspace: Workspace, source: string, system: string): Promise<StoredEnd | undefined> {
  const { plan } = workspace;
  const home = plan.sources.get(source)?.repository;
  for (const name of home === undefined ? [] : [home, ...workspace.mirrorsOf(home)]) {
    try {
      const { repository } = await workspace.openToRead(name);
      const end = await endIn(repository, { plan: plan.name, source }, system);
      if (end !== undefined) return end;
    } catch (error) {
      // A repository that is away, as with a region, must not keep a recovery from going on: less is known without it.
      if (!isHoldfastError(error)) throw error;
    }
  }
  return undefined;
}

async function endIn(
  repository: Repository,
  owner: { plan: string; source: string },
  system: string,
): Promise<StoredEnd | undefined> {
  const stored = await StoredLog.read(repository, owner, () => listSnapshots(repository));
  try {
    const reached = stored.positionOf(system);
    if (reached === undefined) return undefined;
    const coveredMs = await stored.coveredUntilMs(system, reached);
    return { ...reached, ...(coveredMs !== undefined && { coveredMs }) };
  } finally {
    await stored.close();
  }
}
