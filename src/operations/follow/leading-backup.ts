import { isCovered, type LogPosition, type LogRange, parseLsnText } from '../../repository/index.ts';
import { StoredLog } from '../log/stored-log.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/**
 * Whether a backup is there that leads to what a system's log has from a position on: a later one, or one from which the log
 * goes on to there without a gap.
 * @throws repository-damaged
 */
export async function hasLeadingBackup(
  { plan }: Workspace,
  { repository, ledger }: OpenedRepository,
  source: string,
  { system, ...from }: LogPosition & { system: string },
): Promise<boolean> {
  const { snapshots } = await readableSnapshots(repository);
  const ids = new Set(snapshots.map(({ id }) => id));
  const stored = await StoredLog.read(repository, { plan: plan.name, source }, async () => snapshots);
  try {
    for (const { kind, body } of await ledger.read()) {
      if (kind !== 'backup.finished' || body.source !== source || body.log === undefined) continue;
      const { end, ...place } = body.log;
      const base = await stored.locate({ ...place, lsn: parseLsnText(end) });
      if (!ids.has(body.snapshot) || base.system !== system) continue;
      if (isBehind(base, from) || stored.pathFrom(system, base).some((range) => reaches(range, from))) return true;
    }
    return false;
  } finally {
    await stored.close();
  }
}

function isBehind(base: LogPosition, from: LogPosition): boolean {
  return base.timeline >= from.timeline && base.lsn >= from.lsn;
}

function reaches(range: LogRange, { lsn }: LogPosition): boolean {
  return isCovered({ ...range, start: lsn, end: lsn }, [range]);
}
