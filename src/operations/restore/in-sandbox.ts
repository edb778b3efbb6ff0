import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { Target } from '../../foundation/target.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import type { Reader, StoredSnapshot } from '../../repository/index.ts';
import type { SandboxNeed, SandboxTarget } from '../../sandbox/index.ts';
import { type Manifest, type RestoreContext, type Restored, readManifest, type Source } from '../../source/index.ts';
import { withScratch } from '../scratch.ts';
import type { ChosenSandbox, OpenedRepository, Workspace } from '../workspace.ts';
import { chooseSandbox } from './choose-sandbox.ts';
import { LogReplay, type Recovered } from './recover.ts';
import { momentOf, type RecoveryPoint } from './recovery-point.ts';
import { ReplayedStream, recoveredTo } from './replayed-stream.ts';
import { sandboxNeed } from './sandbox-need.ts';

/** What is to be brought into a sandbox: a snapshot by itself, or a point that the log behind it leads to. */
export interface SandboxRequest {
  planned: PlanSource;
  snapshot: StoredSnapshot;
  point?: RecoveryPoint | undefined;
  /** Of the plan, by name: see `chooseSandbox`. */
  sandbox?: string | undefined;
  /** How long what comes back stays; it goes at once, when left out. */
  keepMs?: number | undefined;
}

/** What came back in a sandbox. */
export interface InSandbox {
  source: Source;
  manifest: Manifest;
  /** As it was given to the source. */
  context: RestoreContext;
  restored: Restored;
  /** Where it is: of a cluster, the server that has recovered. */
  target: Target;
  placeNotes: string[];
  recovered: Pick<Recovered, 'reached' | 'lastTransaction'> | undefined;
  restoreMs: number;
  /** Where it stays, and until when (RFC 3339). */
  kept: { place: string; until: string } | undefined;
  /** The moment that came back: of a log by the server's clock. */
  timeMs: number;
  place: Pick<SandboxTarget, 'copies' | 'keepUntil'>;
  /** Of a cluster: its data directory. */
  directory: string | undefined;
}

/**
 * Restores a snapshot into a sandbox, replays the log behind it where that is asked for, and works on what came of it. The
 * sandbox is gone afterwards.
 * @throws not-provable where this machine lacks what it takes; what a restore throws
 */
export async function inSandbox<T>(
  workspace: Workspace,
  { repository }: Pick<OpenedRepository, 'repository'>,
  { planned, snapshot, point, sandbox: chosen, keepMs }: SandboxRequest,
  { reader, progress }: { reader: Reader; progress: Progress },
  work: (came: InSandbox) => Promise<T>,
): Promise<T> {
  const { clock, signal, adapters } = workspace.environment;
  const started = clock.monotonicMs();
  const manifest = await readManifest(reader);
  const source = await workspace.createSource(planned);
  const need = sandboxNeed(planned, manifest);
  const { server: replay, stream } = replayOf(workspace, { repository }, { planned, point, need }, progress);
  const where = keeping(chooseSandbox(workspace, planned, chosen), keepMs);
  const sandbox = await adapters.createSandbox({ clock, signal }, where);
  try {
    const recovery = replay && { recovery: replay.recovery };
    const place = await sandbox.open({ ...need, ...recovery }, progress);
    try {
      return await withScratch(async (scratchDirectory) => {
        const replayed = { isReplayed: point !== undefined, ...(stream && { log: stream }) };
        const create = place.create && { create: place.create };
        const context = { clock, progress, signal, scratchDirectory, ...replayed, ...create };
        const restored = await source.restore(reader, place.target, context);
        const { target, recovered } = await served(place, replay);
        const restoreMs = clock.monotonicMs() - started;
        const timeMs = point === undefined ? snapshotTimeMs(snapshot) : momentOf(point, recovered);
        const reached = recovered ?? (stream && recoveredTo(stream));
        const kept = keepMs === undefined ? undefined : keptIn(place, clock.nowMs() + keepMs);
        const directory = place.target.kind === 'directory' ? place.target.path : undefined;
        const came = {
          ...{ source, manifest, context, restored, target, recovered: reached, restoreMs, timeMs, kept },
          ...{ place, directory },
        };
        const lost =
          keepMs === undefined || kept !== undefined || where?.sandbox.type === 'firestore' ? [] : [NOT_KEPT];
        return work({ ...came, placeNotes: [...place.notes, ...lost] });
      });
    } finally {
      await place.close();
    }
  } finally {
    await (replay ?? stream)?.close();
  }
}

const NOT_KEPT = 'what came back is not kept: this kind of sandbox holds it in memory alone';

/** A database elsewhere is made to stay; a place of this machine is told to once something came back. */
export function keeping(chosen: ChosenSandbox | undefined, keepMs: number | undefined): ChosenSandbox | undefined {
  if (keepMs === undefined || chosen?.sandbox.type !== 'firestore' || chosen.sandbox.database !== undefined)
    return chosen;
  return { ...chosen, sandbox: { ...chosen.sandbox, keepMs } };
}

function keptIn(place: SandboxTarget, untilMs: number): InSandbox['kept'] {
  const where = place.keepUntil?.(untilMs);
  return where === undefined ? undefined : { place: where, until: new Date(untilMs).toISOString() };
}

/** What brings a backup to a recovery point: a server that recovers by itself, or the source, which replays a stream. */
function replayOf(
  workspace: Workspace,
  opened: Pick<OpenedRepository, 'repository'>,
  { planned, point, need }: { planned: PlanSource; point: RecoveryPoint | undefined; need: SandboxNeed },
  progress: Progress,
): { server?: LogReplay; stream?: ReplayedStream } {
  if (point === undefined) return {};
  if (need.kind !== 'postgres-data') return { stream: new ReplayedStream(workspace, opened, point, progress) };
  return { server: new LogReplay(workspace, opened, { planned, point }, progress) };
}

/** @throws internal where it is none */
export function databaseOf({ target }: Pick<InSandbox, 'target'>): Extract<Target, { kind: 'database' }> {
  if (target.kind === 'database') return target;
  throw new HoldfastError('internal', 'the sandbox has no database');
}

async function served(
  place: SandboxTarget,
  replay: LogReplay | undefined,
): Promise<Pick<SandboxTarget, 'target'> & { recovered?: Recovered }> {
  if (replay === undefined) return { target: (await place.serve?.())?.target ?? place.target };
  const recovered = await replay.run(place);
  return { target: recovered.target, recovered };
}
