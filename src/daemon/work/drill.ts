import { HoldfastError } from '../../foundation/errors.ts';
import { drillRescue } from '../../operations/index.ts';
import { holdDrill } from '../../recovery/index.ts';
import type { Work } from './work.ts';

/** A runbook is run on copies, or a rescue to a place that is gone afterwards. Nobody is asked. */
export const workDrill: Work = async (workspace, { subject }) => {
  const drill = workspace.plan.drills.find(({ name }) => subject.endsWith(`-${name}`));
  if (drill === undefined) throw new HoldfastError('internal', `the plan has no drill ${subject}`);
  if (drill.isRescue) {
    const { outcome, message } = await drillRescue(workspace, { task: `drill:${subject}` });
    return { outcome, ...(message !== undefined && { message }) };
  }
  const runbook = subject.slice(0, -drill.name.length - 1);
  const { ended } = await holdDrill(workspace, { runbook, task: `drill:${subject}` });
  const { outcome = 'failed', why } = ended ?? {};
  return {
    outcome: outcome === 'aborted' || outcome === 'died' ? 'failed' : outcome,
    ...(why !== undefined && { message: why }),
  };
};
