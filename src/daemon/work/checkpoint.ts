import { EXIT } from '../../foundation/errors.ts';
import { signLedgers } from '../../operations/index.ts';
import { withCopies } from './copies.ts';
import { type Work, workedOf } from './work.ts';

/** What the ledger of one repository holds is signed, and copies go to where the plan says. */
export const workCheckpoint: Work = async (workspace, { subject }) => {
  const [signed] = await signLedgers(workspace, [subject]);
  const exits = { complete: EXIT.done, partial: EXIT.partial, failed: EXIT.failed };
  return withCopies(workspace, subject, workedOf(exits[signed!.outcome], signed!.errors));
};
