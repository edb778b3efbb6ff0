import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EXIT } from '../../foundation/errors.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import {
  deliverReport,
  type ReportWriters,
  reportCompliance,
  reportVerification,
  type Workspace,
} from '../../operations/index.ts';
import { reportPlaybook } from '../../recovery/index.ts';
import { type Work, workedOf } from './work.ts';

const writersFor = (workspace: Workspace): ReportWriters => ({
  verification: ({ fromMs }) => reportVerification(workspace, fromMs),
  compliance: async (period) => {
    const { report, ...forms } = await reportCompliance(workspace, period);
    return report.isWhole ? forms : { ...forms, lacks: 'not every ledger is whole, and could be verified and read' };
  },
  playbook: async () => {
    const text = workspace.planPath === undefined ? '' : await readFile(workspace.planPath);
    const { report, ...forms } = await reportPlaybook(workspace, {
      sha256: createHash('sha256').update(text).digest('hex'),
    });
    const unread = report.unread.map(({ repository, message }) => `${repository} could not be read: ${message}`);
    return unread.length === 0 ? forms : { ...forms, lacks: unread.join('; ') };
  },
});

/** One report of the plan, to all channels that do not have it yet. */
export const workReport: Work = async (workspace, { subject, due }) => {
  const { clock, signal } = workspace.environment;
  const moment = due ?? new Date(clock.nowMs()).toISOString();
  const { delivered, lacks } = await deliverReport(
    workspace,
    { name: subject, due: moment },
    { pause: pauseUntilAborted(signal), writers: writersFor(workspace) },
  );
  const errors = delivered.flatMap(({ error }) => error ?? []);
  if (errors.length > 0) return workedOf(EXIT.failed, errors);
  return workedOf(lacks === undefined ? EXIT.done : EXIT.partial, [], lacks);
};
