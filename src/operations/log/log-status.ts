import type { LedgerEvent } from '../../ledger/index.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { lsnText, parseLsnText, type StoredSnapshot } from '../../repository/index.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { againAfterFold, StoredLog } from './stored-log.ts';

/** How far a source's log brings the newest backup that it continues. */
export interface LogStatus {
  /** The backup that the log goes on from without a gap; absent when there is none. */
  from?: string;
  /** RFC 3339, the server's clock: the newest moment that can be had. */
  time?: string;
  timeline?: number;
  lsn?: string;
  /** Parts of the log behind that backup that nobody has any more. */
  gaps: { timeline: number; start: string; end: string }[];
}

type BaseEvent = Extract<LedgerEvent, { kind: 'backup.finished' }>;

/**
 * @param events of the repository's ledger, oldest first
 * @param list gives the snapshots that are there when it is called: what was listed before the tail was may lack what a fold
 *   has taken from there
 * @throws repository-damaged
 */
export function logStatus(
  workspace: Workspace,
  opened: OpenedRepository,
  source: PlanSource,
  events: readonly LedgerEvent[],
  list: () => Promise<readonly StoredSnapshot[]> = async () => (await readableSnapshots(opened.repository)).snapshots,
): Promise<LogStatus> {
  return againAfterFold(() => statusNow(workspace, opened, source, events, list));
}

async function statusNow(
  { plan }: Workspace,
  { repository }: OpenedRepository,
  source: PlanSource,
  events: readonly LedgerEvent[],
  list: () => Promise<readonly StoredSnapshot[]>,
): Promise<LogStatus> {
  let snapshots: readonly StoredSnapshot[] = [];
  const stored = await StoredLog.read(repository, { plan: plan.name, source: source.name }, async () => {
    snapshots = await list();
    return snapshots;
  });
  const ids = new Set(snapshots.map(({ id }) => id));
  const bases = events.filter(
    (event): event is BaseEvent =>
      event.kind === 'backup.finished' && event.body.source === source.name && ids.has(event.body.snapshot),
  );
  for (const { body } of bases.toReversed()) {
    if (body.log === undefined) continue;
    const { end, ...place } = body.log;
    const { system, timeline, lsn } = await stored.locate({ ...place, lsn: parseLsnText(end) });
    const gaps = gapsBehind(source.name, events, { system, lsn });
    const reached = stored.reachFrom(system, { timeline, lsn });
    if (reached === undefined) return { gaps };
    const coveredMs = await stored.coveredUntilMs(system, reached);
    return {
      from: body.snapshot,
      ...(coveredMs !== undefined && { time: new Date(coveredMs).toISOString() }),
      timeline: reached.timeline,
      lsn: lsnText(reached.lsn),
      gaps,
    };
  }
  return { gaps: [] };
}

function gapsBehind(
  source: string,
  events: readonly LedgerEvent[],
  { system, lsn }: { system: string; lsn: bigint },
): LogStatus['gaps'] {
  const gaps = new Map<string, LogStatus['gaps'][number]>();
  for (const { kind, body } of events) {
    if (kind !== 'log.gap' || body.source !== source || body.system !== system) continue;
    const { timeline, start, end } = body;
    // A follower that was killed before anything followed the gap has found it twice.
    if (parseLsnText(end) > lsn) gaps.set(`${timeline} ${start} ${end}`, { timeline, start, end });
  }
  return [...gaps.values()];
}
