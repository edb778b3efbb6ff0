import type { LedgerEvent } from '../../../ledger/index.ts';
import { RunRecord } from '../../engine/run-record.ts';
import type { AnyContext } from '../any-context.ts';
import { fromAnyCopy } from '../any-copy.ts';

export type FinishedRestore = Extract<LedgerEvent, { kind: 'restore.finished' }>['body'];

/**
 * A restore of a source to a target that this step ended before it died: what the ledger of the source's repository, or this
 * machine's journal, says since the step was begun. Where nothing says when that was, there is none.
 */
export async function finishedBefore(
  context: AnyContext,
  { source, target }: { source: string; target: string },
): Promise<FinishedRestore | undefined> {
  const { workspace, run, step } = context;
  const begun = (await new RunRecord(workspace).read()).find(
    ({ kind, body }) => kind === 'step.started' && body.run === run.id && body.step === step.id,
  );
  if (begun === undefined) return undefined;
  const events = await fromAnyCopy(context, { named: undefined, source }, async (name) =>
    (await workspace.openToRead(name)).ledger.read(),
  );
  const home = workspace.repositoryName(workspace.sources([source])[0]!.repository);
  const waiting = await workspace.recorder(home).waiting();
  const finished = [...events, ...waiting].findLast(
    ({ kind, body, time }) =>
      kind === 'restore.finished' && body.source === source && body.target === target && time > begun.time,
  );
  return finished?.kind === 'restore.finished' ? finished.body : undefined;
}
