import { backup, backupExit } from '../../operations/index.ts';
import { withCopies } from './copies.ts';
import { type Work, workedOf } from './work.ts';

/** A backup of one source, and of it to the mirrors. */
export const workBackup: Work = async (workspace, { subject }) => {
  const outcomes = await backup(workspace, [subject]);
  const errors = outcomes.flatMap((each) => (each.outcome === 'failed' ? [each.error] : []));
  const problems = outcomes.flatMap((each) => (each.outcome === 'partial' ? each.problems : []));
  const message = problems.length === 0 ? undefined : `could not be read: ${problems.length}`;
  const worked = workedOf(backupExit(outcomes), errors, message);
  if (worked.outcome === 'failed') return worked;
  return withCopies(workspace, workspace.sources([subject])[0]!.repository, worked);
};
