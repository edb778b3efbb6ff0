import { readdir } from 'node:fs/promises';
import { isHoldfastError, systemCode, systemReason } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { isMarked, loadIndex, Reader, type StoredSnapshot } from '../../repository/index.ts';
import { isOffline } from '../archives/recall.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { refuseReplacing } from './replace.ts';
import { chooseSnapshot, pointOf, type RestoreRequest, replaysLog, targetOf } from './restore.ts';

/** What is known of a restore before it is begun. */
export interface ExaminedRestore {
  /** The backup that it would begin with. */
  snapshot?: string;
  /** What it takes by the newest proof of the source: the restore alone. */
  expectedMs?: number;
  /** What would make it fail, in words. */
  obstacles: string[];
}

/**
 * Says of a restore what it would say itself, without changing anything: that there is no such recovery point, that the target
 * is not empty or cannot be reached.
 * @param request of a source; `to` is left out where it is not known yet, `at` where it is any
 */
export async function examineRestore(
  workspace: Workspace,
  { to, ...request }: Omit<RestoreRequest, 'to'> & { source: string; to?: string },
): Promise<ExaminedRestore> {
  const examined: ExaminedRestore = { obstacles: [] };
  const told = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      examined.obstacles.push(error.message);
      return undefined;
    }
  };
  const planned = workspace.sources([request.source])[0]!;
  const target = to === undefined ? undefined : await told(async () => targetOf(to));
  if (target !== undefined) {
    await told(() => refuseReplacing(workspace, request, { target, planned }));
    examined.obstacles.push(...(await directoryObstacles(target, request)));
  }
  const name = workspace.repositoryName(request.repository ?? planned.repository);
  const opened = await told(() => workspace.openToRead(name));
  if (opened === undefined) return examined;
  const snapshot = await told(() => snapshotOf(workspace, opened, planned, request));
  if (snapshot === undefined) return examined;
  examined.snapshot = snapshot.id;
  if (target?.kind === 'database')
    await told(() => refuseDatabase(workspace, opened, { planned, snapshot, target, request }));
  const events = await opened.ledger.read();
  const proof = events.findLast(
    ({ kind, body }) => kind === 'proof.recorded' && body.source === planned.name && body.state === 'proven',
  );
  if (proof?.kind === 'proof.recorded') examined.expectedMs = proof.body.restoreMs;
  return examined;
}

type Asked = Omit<RestoreRequest, 'to'>;

async function snapshotOf(
  workspace: Workspace,
  opened: OpenedRepository,
  planned: PlanSource,
  request: Asked,
): Promise<StoredSnapshot> {
  const { snapshots } = await readableSnapshots(opened.repository);
  if (!replaysLog(planned, request) || isOffline(workspace, opened.name))
    return chooseSnapshot(snapshots, workspace, { ...request, source: planned.name });
  const point = await pointOf(workspace, opened, planned, { request, snapshots });
  await point?.log.close();
  return point?.base ?? chooseSnapshot(snapshots, workspace, { ...request, source: planned.name });
}

/** One that holds a restore which was interrupted says by itself whether this one goes on with it. */
async function directoryObstacles(target: Target, { replace = false }: Asked): Promise<string[]> {
  if (target.kind !== 'directory' || replace) return [];
  try {
    const names = await readdir(target.path);
    return names.length === 0 || isMarked(target.path) ? [] : [`${target.path} is not empty`];
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    return [`${target.path} cannot be read: ${systemReason(error)}`];
  }
}

async function refuseDatabase(
  workspace: Workspace,
  { repository }: OpenedRepository,
  {
    planned,
    snapshot,
    target,
    request: { selection, as },
  }: { planned: PlanSource; snapshot: StoredSnapshot; target: Extract<Target, { kind: 'database' }>; request: Asked },
): Promise<void> {
  const source = await workspace.createSource(planned);
  if (source.refuse === undefined) return;
  const { signal } = workspace.environment;
  const reader = new Reader(await loadIndex(repository), snapshot);
  try {
    await source.refuse(reader, target, { signal, ...(selection && { selection }), ...(as !== undefined && { as }) });
  } finally {
    await reader.close();
  }
}
