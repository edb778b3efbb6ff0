import { type RepairReport, repairRepository } from '../../repository/index.ts';
import { withLock } from '../locked.ts';
import type { Healing } from '../mirrors/healed-object.ts';
import { healRepository } from '../mirrors/healing.ts';
import { revealHidden } from '../object-lock/reveal-hidden.ts';
import { Reading } from '../reading.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

export interface Repaired extends RepairReport {
  repository: string;
  dryRun: boolean;
  /** What was put back from mirrors, before anything else. */
  healed: Healing[];
  /** Whether nothing is lost. */
  whole: boolean;
  durationMs: number;
}

export interface RepairRequest {
  /** A repository of the plan; all, when left out. */
  repository?: string;
  readData: boolean;
  dryRun: boolean;
}

/** Makes repositories consistent again from what is there. @throws repository-locked unless it is a dry run */
export async function repair(workspace: Workspace, request: RepairRequest): Promise<Repaired[]> {
  const results: Repaired[] = [];
  for (const name of request.repository === undefined ? workspace.plan.repositories.keys() : [request.repository]) {
    const opened = await workspace.open(name, { uncached: true, hidden: !request.dryRun });
    results.push(await (request.dryRun ? lookOnly : repairOne)(workspace, opened, request.readData));
  }
  return results;
}

async function repairOne(workspace: Workspace, opened: OpenedRepository, readData: boolean): Promise<Repaired> {
  const { clock, signal } = workspace.environment;
  const progress = workspace.environment.progress(opened.name);
  const startedMs = clock.monotonicMs();
  try {
    return await withLock(workspace, opened, { exclusive: true }, async (lock) => {
      // What a mirror has is neither lost nor to be dropped.
      const healed = [
        ...(await revealHidden(workspace, opened, progress)),
        ...(await healRepository(workspace, opened, progress)),
      ];
      const report = await repairRepository(opened.repository, {
        readData,
        lock,
        progress,
        signal,
        announce: (indexes) => opened.ledger.append('repair.removing', { repository: opened.name, indexes }),
      });
      const durationMs = clock.monotonicMs() - startedMs;
      await opened.ledger.append('repair.finished', {
        repository: opened.name,
        packsIndexed: report.packsIndexed.length,
        packsDropped: report.packsDropped.map(({ pack }) => pack),
        blobsSalvaged: report.blobsSalvaged,
        blobsLost: report.blobsLost.length,
        durationMs,
      });
      return { ...report, healed, repository: opened.name, dryRun: false, whole: isWhole(report), durationMs };
    });
  } finally {
    progress.finish();
  }
}

async function lookOnly(workspace: Workspace, opened: OpenedRepository, readData: boolean): Promise<Repaired> {
  const { clock, signal } = workspace.environment;
  const progress = workspace.environment.progress(opened.name);
  const startedMs = clock.monotonicMs();
  const reading = await Reading.begin(opened, clock);
  try {
    const report = await repairRepository(opened.repository, { readData, lock: undefined, progress, signal });
    const durationMs = clock.monotonicMs() - startedMs;
    return { ...report, healed: [], repository: opened.name, dryRun: true, whole: isWhole(report), durationMs };
  } finally {
    progress.finish();
    await reading.end();
  }
}

function isWhole({ blobsLost, findings }: RepairReport): boolean {
  return blobsLost.length === 0 && findings.length === 0;
}
