import type { LedgerEvent } from '../../../ledger/index.ts';
import type { AnyContext } from '../any-context.ts';
import { fromAnyCopy } from '../any-copy.ts';

export type FinishedRestore = Extract<LedgerEvent, { kind: 'restore.finished' }>['body'];

/**
 * A restore of a source to a target that this step ended before it died: what the ledger of the source's repository, or this
 * machine's journal, says.
 * @param begunBy by what the step knows its own
 */
export async function finishedBefore(
  context: AnyContext,
  { source, target, begunBy }: { source: string; target: string; begunBy: string },
): Promise<FinishedRestore | undefined> {
  const { workspace } = context;
  const events = await fromAnyCopy(context, { named: undefined, source }, async (name) =>
    (await workspace.openToRead(name)).ledger.events({ kinds: ['restore.finished'] }),
  );
  const home = workspace.repositoryName(workspace.sources([source])[0]!.repository);
  const waiting = await workspace.recorder(home).waiting();
  const finished = [...events, ...waiting].findLast(
    ({ kind, body }) =>
      kind === 'restore.finished' && body.source === source && body.target === target && body.begunBy === begunBy,
  );
  return finished?.kind === 'restore.finished' ? finished.body : undefined;
}
