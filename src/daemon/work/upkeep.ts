import { HoldfastError } from '../../foundation/errors.ts';
import { check, foldLedger, isResting, prune, retainRepository } from '../../operations/index.ts';
import { parseSubset } from '../../repository/index.ts';
import { withCopies } from './copies.ts';
import type { Work, Worked } from './work.ts';

/** So much of the data is read by each check, which goes on where the one before ended: ten read all of it. */
const CHECKED_SHARE = '10%';

/** What is meant to rest has done all that it should. */
const RESTS: Worked = { outcome: 'done', message: 'rests while an incident is open' };

/**
 * What the retention does not keep is removed from one repository; and the events of its ledger of days that are over are put
 * together, which loses nothing, and goes on while an incident is open: it comes daily, and a prune seldom.
 */
export const workRetain: Work = async (workspace, { subject }) => {
  const isAtRest = await isResting(workspace);
  if (!isAtRest) await retainRepository(workspace, subject);
  const folded = await foldLedger(workspace, subject);
  if (isAtRest && folded === 0) return RESTS;
  return withCopies(workspace, subject, isAtRest ? RESTS : { outcome: 'done' });
};

/** What nothing needs any more is removed from one repository. */
export const workPrune: Work = async (workspace, { subject }) => {
  if (await isResting(workspace)) return RESTS;
  await prune(workspace, [subject], { dryRun: false });
  return withCopies(workspace, subject, { outcome: 'done' });
};

/** All that says where data is, and a further part of the data, is read in one repository. */
export const workCheck: Work = async (workspace, { subject }) => {
  const subset = { ...parseSubset(CHECKED_SHARE)!, text: CHECKED_SHARE };
  const { repositories } = await check(workspace, {
    ...{ repositories: [subject], readData: true, readHeaders: false, subset },
  });
  const errors = repositories.flatMap(({ findings }) => findings.filter(({ severity }) => severity === 'error')).length;
  if (repositories.every(({ clean }) => clean)) return { outcome: 'done' };
  const error = new HoldfastError('repository-damaged', `${subject} is damaged: a check found ${errors} errors`, {
    hint: `See them with \`holdfast check ${subject}\`; \`--repair\` puts back what a mirror has.`,
    context: { repository: subject, errors },
  });
  return { outcome: 'failed', error };
};
