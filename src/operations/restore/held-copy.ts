import { HoldfastError } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { loadIndex, Reader, type StoredSnapshot } from '../../repository/index.ts';
import type { SandboxTarget, ServerCopies } from '../../sandbox/index.ts';
import { readManifest } from '../../source/index.ts';
import { isOffline } from '../archives/recall.ts';
import { Reading } from '../reading.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { chooseSandbox } from './choose-sandbox.ts';
import { databaseOf, type InSandbox, inSandbox } from './in-sandbox.ts';
import type { RecoveryPoint } from './recovery-point.ts';
import { chooseSnapshot, pointOf, type RestoreRequest, replaysLog } from './restore.ts';
import { sandboxNeed } from './sandbox-need.ts';

export type CopyRequest = Pick<RestoreRequest, 'at' | 'snapshot' | 'repository'> & { source: string };

/** A source's server in a sandbox, with a recovery point of it, for as long as it is held. */
export interface HeldCopy extends Pick<SandboxTarget, 'keepUntil'> {
  /** Its server's; it holds no password. */
  url: string;
  /** Of a cluster: its data directory. */
  directory: string | undefined;
  snapshot: string;
  /** RFC 3339: the moment that came back. */
  time: string;
  bytes: number;
  notes: string[];
  /** See `SandboxTarget`. */
  copies(followers: readonly string[]): Promise<ServerCopies>;
  close(): Promise<void>;
}

/**
 * Brings a recovery point of a database back in a sandbox, by its log where it has one, and has a server run on it.
 * @throws as `chooseSnapshot` and `findWantedPoint`; not-provable; what a restore throws
 */
export async function holdCopy(workspace: Workspace, request: CopyRequest): Promise<HeldCopy> {
  const planned = workspace.sources([request.source])[0]!;
  const repository = workspace.repositoryName(request.repository ?? planned.repository);
  const opened = await workspace.openToRead(repository);
  const came = Promise.withResolvers<HeldCopy>();
  const over = Promise.withResolvers<void>();
  const chosen = async (): Promise<void> => {
    const { snapshots } = await readableSnapshots(opened.repository);
    const isReplayed = replaysLog(planned, request) && !isOffline(workspace, repository);
    const point = isReplayed ? await pointOf(workspace, opened, planned, { request, snapshots }) : undefined;
    const snapshot = point?.base ?? chooseSnapshot(snapshots, workspace, request);
    await held(workspace, opened, { planned, snapshot, point }, async (copy) => {
      came.resolve({ ...copy, close: end });
      await over.promise;
    });
  };
  const work = awaitedLater(underLock(workspace, opened, chosen));
  const end = async (): Promise<void> => {
    over.resolve();
    await work;
  };
  const ended = work.then(() => Promise.reject(new HoldfastError('internal', 'the copy ended by itself')));
  awaitedLater(ended);
  return Promise.race([came.promise, ended]);
}

async function underLock(
  { environment }: Workspace,
  opened: OpenedRepository,
  work: () => Promise<void>,
): Promise<void> {
  const reading = await Reading.begin(opened, environment.clock);
  try {
    await work();
  } finally {
    await reading.end();
  }
}

interface Chosen {
  planned: PlanSource;
  snapshot: StoredSnapshot;
  point: RecoveryPoint | undefined;
}

async function held(
  workspace: Workspace,
  opened: OpenedRepository,
  chosen: Chosen,
  work: (copy: Omit<HeldCopy, 'close'>) => Promise<void>,
): Promise<void> {
  const progress = workspace.environment.progress(chosen.planned.name);
  const reader = new Reader(await loadIndex(opened.repository), chosen.snapshot);
  try {
    await inSandbox(workspace, opened, chosen, { reader, progress }, async (came) => {
      progress.finish();
      await work(copyOf(chosen, came));
    });
  } finally {
    progress.finish();
    await reader.close();
  }
}

function copyOf({ planned, snapshot }: Chosen, came: InSandbox): Omit<HeldCopy, 'close'> {
  const { place, restored, directory, timeMs, placeNotes } = came;
  return {
    ...{ url: databaseOf(came).url, directory, snapshot: snapshot.id, time: new Date(timeMs).toISOString() },
    ...{ bytes: restored.bytes, notes: [...placeNotes, ...restored.notes] },
    ...(place.keepUntil && { keepUntil: place.keepUntil }),
    copies: async (followers) => {
      if (place.copies !== undefined) return place.copies(followers);
      throw new HoldfastError('internal', `the sandbox of ${planned.name} has no server that could be followed`);
    },
  };
}

/**
 * Says what `holdCopy`, `placeForCopy` or a proof would say of what is missing on this machine, and restores nothing.
 * @param how whether servers are going to follow it
 * @throws not-provable; as `chooseSnapshot`
 */
export async function assertCopyable(workspace: Workspace, source: string, how: { copies: boolean }): Promise<void> {
  const { clock, signal, adapters } = workspace.environment;
  const planned = workspace.sources([source])[0]!;
  const opened = await workspace.openToRead(workspace.repositoryName(planned.repository));
  const { snapshots } = await readableSnapshots(opened.repository);
  const snapshot = chooseSnapshot(snapshots, workspace, { source });
  const reader = new Reader(await loadIndex(opened.repository), snapshot);
  try {
    const need = sandboxNeed(planned, await readManifest(reader));
    const sandbox = await adapters.createSandbox({ clock, signal }, chooseSandbox(workspace, planned, undefined));
    await sandbox.assertOpenable?.(need, how);
  } finally {
    await reader.close();
  }
}
