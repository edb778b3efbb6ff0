import { replicate, replicateAll, replicateAllExit, replicateExit } from '../../operations/index.ts';
import { type Work, workedOf } from './work.ts';

/** One mirror is brought up to date. */
export const workReplicate: Work = async (workspace, { subject }) => {
  const outcomes = await replicate(workspace, [subject]);
  const errors = outcomes.flatMap((each) => (each.outcome === 'failed' ? [each.error] : []));
  return workedOf(replicateExit(outcomes), errors);
};

/** The newest complete snapshots are copied to one archive. */
export const workArchive: Work = async (workspace, { subject }) => {
  const replicated = await replicateAll(workspace, [subject]);
  const errors = replicated.archives.flatMap(({ error, sources }) => [
    ...(error === undefined ? [] : [error]),
    ...sources.flatMap((each) => (each.outcome === 'failed' ? [each.error] : [])),
  ]);
  return workedOf(replicateAllExit(replicated), errors);
};
