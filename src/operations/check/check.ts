import { type CheckReport, checkRepository } from '../../repository/index.ts';
import { Reading } from '../reading.ts';
import type { Workspace } from '../workspace.ts';

export interface CheckOfRepository extends CheckReport {
  repository: string;
  clean: boolean;
  /** What a person should know: that it could not be recorded, for example. */
  notes: string[];
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
  const opened = await workspace.open(name);
  const reading = await Reading.begin(opened, clock, { whole: true });
  try {
    const report = await checkRepository(opened.repository, { readData, progress });
    const errors = report.findings.filter(({ severity }) => severity === 'error').length;
    const durationMs = clock.monotonicMs() - started;
    await reading.record('check.finished', { repository: name, readData, clean: errors === 0, errors, durationMs });
    return { ...report, repository: name, clean: errors === 0, durationMs, notes: reading.notes };
  } finally {
    progress.finish();
    await reading.end();
  }
}
