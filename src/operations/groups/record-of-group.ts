import type { EventBodies } from '../../ledger/index.ts';
import type { Group } from '../../plan/index.ts';
import { Reading } from '../reading.ts';
import { reportable, type Workspace } from '../workspace.ts';

/**
 * Records what became of a group, in the ledger of the repository that its most important source was read from; where that
 * cannot be opened, of the next one. What was done is done: that it could not be recorded is a note.
 * @param repository read instead of the sources' own
 */
export async function recordOfGroup<Kind extends 'group.restored' | 'group.verified'>(
  workspace: Workspace,
  { sources, repository }: Pick<Group, 'sources'> & { repository?: string | undefined },
  kind: Kind,
  body: EventBodies[Kind],
): Promise<string[]> {
  const { clock, signal } = workspace.environment;
  const planned = workspace.sources(sources);
  const names = new Set(planned.map((source) => workspace.repositoryName(repository ?? source.repository)));
  let failure: Error | undefined;
  for (const name of names) {
    try {
      const reading = await Reading.begin(await workspace.openToRead(name), clock);
      try {
        await reading.record(kind, body);
        return reading.notes;
      } finally {
        await reading.end();
      }
    } catch (error) {
      const reported = reportable(error, signal);
      if (reported.code === 'internal' || reported.code === 'interrupted') throw error;
      failure ??= reported;
    }
  }
  return failure === undefined ? [] : [`this was not recorded in the ledger: ${failure.message}`];
}
