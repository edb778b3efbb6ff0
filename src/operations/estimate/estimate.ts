import type { HoldfastError } from '../../foundation/errors.ts';
import type { Estimate } from '../../source/index.ts';
import { reportable, type Workspace } from '../workspace.ts';

export type EstimateOfSource =
  | ({ source: string; outcome: 'estimated' } & Estimate)
  /** Nobody charges for reading it. */
  | { source: string; outcome: 'free' }
  | { source: string; outcome: 'failed'; error: HoldfastError };

/** What a backup of these sources, or of all, would take where that is charged for. Nothing is read but what says so. */
export async function estimateBackups(workspace: Workspace, names: readonly string[]): Promise<EstimateOfSource[]> {
  const { clock, signal } = workspace.environment;
  return Promise.all(
    workspace.sources(names).map(async (planned): Promise<EstimateOfSource> => {
      try {
        const estimate = await (await workspace.createSource(planned)).estimate?.({ clock, signal });
        if (estimate === undefined) return { source: planned.name, outcome: 'free' };
        return { source: planned.name, outcome: 'estimated', ...estimate };
      } catch (error) {
        return { source: planned.name, outcome: 'failed', error: reportable(error, signal) };
      }
    }),
  );
}
