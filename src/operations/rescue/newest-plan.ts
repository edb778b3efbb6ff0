import { isHoldfastError } from '../../foundation/errors.ts';
import { type Plan, parsePlan } from '../../plan/index.ts';
import type { KitContent } from '../kit/kit-content.ts';
import { revisionsIn } from '../revisions/revisions.ts';
import type { OpenedRepository } from '../workspace.ts';

/**
 * The newest plan that any ledger has, where it is newer than the kit's; undefined where the kit has the newest.
 * @param opened copies that can be read
 * @param from which it is, in words
 */
export async function newestPlan(
  opened: readonly OpenedRepository[],
  { plan, madeAt }: KitContent,
  directory: string,
): Promise<{ plan?: Plan; from: string; notes: string[] }> {
  const own = `the plan in the kit, of ${madeAt}`;
  const applied = (await Promise.all(opened.map(({ ledger }) => ledger.events({ kinds: ['plan.applied'] })))).flat();
  const newest = revisionsIn(applied.toSorted((one, other) => (one.time < other.time ? -1 : 1))).at(-1);
  if (newest === undefined || newest.time <= madeAt || newest.text === plan.text) return { from: own, notes: [] };
  const from = `revision ${newest.revision}, which ${newest.by} applied at ${newest.time}`;
  try {
    return { plan: parsePlan(newest.text, { file: `revision ${newest.revision}`, directory }).plan, from, notes: [] };
  } catch (error) {
    if (!isHoldfastError(error, 'plan-invalid')) throw error;
    return { from: own, notes: [`${from} cannot be read by this version: ${error.message}`] };
  }
}
