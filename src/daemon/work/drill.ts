import { HoldfastError } from '../../foundation/errors.ts';
import { holdDrill } from '../../recovery/index.ts';
import type { Work } from './work.ts';

/** A runbook is run on copies. Nobody is asked. */
export const workDrill: Work = async (workspace, { subject }) => {
  const drill = workspace.plan.drills.find(({ name }) => subject.endsWith(`-${name}`));
  if (drill === undefined) throw new HoldfastError('internal', `the plan has no drill ${subject}`);
  if (drill.isRescue) {
    return { outcome: 'partial', message: 'not held: this version cannot drill a rescue from an empty machine' };
  }
  const runbook = subject.slice(0, -drill.name.length - 1);
  const { ended } = await holdDrill(workspace, { runbook, task: `drill:${subject}` });
  const { outcome = 'failed', why } = ended ?? {};
  return {
    outcome: outcome === 'aborted' || outcome === 'died' ? 'failed' : outcome,
    ...(why !== undefined && { message: why }),
  };
};
