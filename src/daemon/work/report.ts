import { EXIT } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { deliverReport } from '../../operations/index.ts';
import { type Work, workedOf } from './work.ts';

/** One report of the plan, to all channels that do not have it yet. */
export const workReport: Work = async (workspace, { subject, due }) => {
  const { clock, signal } = workspace.environment;
  const moment = due ?? new Date(clock.nowMs()).toISOString();
  const delivered = await deliverReport(
    workspace,
    { name: subject, due: moment },
    { pause: pauseUntilAborted(signal) },
  );
  const errors = delivered.flatMap(({ error }) => error ?? []);
  return workedOf(errors.length === 0 ? EXIT.done : EXIT.failed, errors);
};
