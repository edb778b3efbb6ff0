import { type CheckReport, checkRepository, lockRepository } from '../../repository/index.ts';
import type { Workspace } from '../workspace.ts';

export interface CheckOfRepository extends CheckReport {
  repository: string;
  clean: boolean;
  durationMs: number;
}

/** Checks repositories, all of the plan's or one, and records what was found. */
export async function check(
  workspace: Workspace,
  names: readonly string[],
  readData: boolean,
): Promise<CheckOfRepository[]> {
  const results: CheckOfRepository[] = [];
  for (const name of names.length > 0 ? names : workspace.plan.repositories.keys()) {
    results.push(await checkOne(workspace, name, readData));
  }
  return results;
}

async function checkOne(workspace: Workspace, name: string, readData: boolean): Promise<CheckOfRepository> {
  const { clock } = workspace.environment;
  const progress = workspace.environment.progress(name);
  const started = clock.monotonicMs();
  const { repository, ledger } = await workspace.open(name);
  const lock = await lockRepository(repository, { exclusive: false, clock });
  try {
    const report = await checkRepository(repository, { readData, progress });
    const errors = report.findings.filter(({ severity }) => severity === 'error').length;
    const durationMs = clock.monotonicMs() - started;
    await ledger.append('check.finished', { repository: name, readData, clean: errors === 0, errors, durationMs });
    return { ...report, repository: name, clean: errors === 0, durationMs };
  } finally {
    progress.finish();
    await lock.release();
  }
}
