import { loadIndex, Reader } from '../../repository/index.ts';
import type { SandboxNeed, SandboxTarget } from '../../sandbox/index.ts';
import { readManifest } from '../../source/index.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { Workspace } from '../workspace.ts';
import { chooseSandbox } from './choose-sandbox.ts';
import { keeping } from './in-sandbox.ts';
import { chooseSnapshot, type RestoreRequest } from './restore.ts';
import { sandboxNeed } from './sandbox-need.ts';

/** A sandbox that a restore may be told to go to, as to any target. */
export interface PlaceForCopy extends Pick<SandboxTarget, 'notes' | 'keepUntil' | 'copies' | 'close'> {
  /** A directory, or a URL without a password. */
  to: string;
  /** Of Firestore: the restore makes the database. */
  isMade: boolean;
  /** Where it stays by itself: it was made to. */
  keptAt?: string;
}

/**
 * Opens a sandbox that takes a recovery point of a source as a restore to a target does: of a cluster, an empty database.
 * @throws as `chooseSnapshot`; not-provable where this machine lacks what it takes
 */
export async function placeForCopy(
  workspace: Workspace,
  {
    source,
    at,
    snapshot: id,
    repository,
    keepMs,
  }: Pick<RestoreRequest, 'at' | 'snapshot' | 'repository'> & { source: string; keepMs?: number | undefined },
): Promise<PlaceForCopy> {
  const { clock, signal, adapters, progress } = workspace.environment;
  const planned = workspace.sources([source])[0]!;
  const opened = await workspace.openToRead(workspace.repositoryName(repository ?? planned.repository));
  const { snapshots } = await readableSnapshots(opened.repository);
  const asked = id === undefined ? { ...(at !== undefined && { at }) } : { snapshot: id };
  const snapshot = chooseSnapshot(snapshots, workspace, { source: planned.name, ...asked });
  const reader = new Reader(await loadIndex(opened.repository), snapshot);
  const told = progress(planned.name);
  try {
    const need = forCopy(sandboxNeed(planned, await readManifest(reader)));
    const where = keeping(chooseSandbox(workspace, planned, undefined), keepMs);
    const sandbox = await adapters.createSandbox({ clock, signal }, where);
    const { target, create, ...place } = await sandbox.open(need, told);
    const to = target.kind === 'directory' ? target.path : target.url;
    const keptAt = keepMs !== undefined && where?.sandbox.type === 'firestore' ? { keptAt: to } : {};
    return { ...place, to, isMade: create !== undefined, ...keptAt };
  } finally {
    told.finish();
    await reader.close();
  }
}

/** A cluster that goes to a database is recovered by the restore itself, and copied from there. */
function forCopy(need: SandboxNeed): SandboxNeed {
  if (need.kind !== 'postgres-data') return need;
  const { majorVersion } = need;
  const text = { encoding: 'UTF8', collate: 'C.UTF-8', ctype: 'C.UTF-8' };
  return { kind: 'postgres', majorVersion, newerServes: true, ...text };
}
