/** The plan in a kit, which another version of Holdfast may have put there. */
import { HoldfastError } from '../../foundation/errors.ts';
import { type UnderstoodPlan, understoodPlan } from '../../plan/index.ts';
import type { KitContent, KitRepository } from '../kit/kit-content.ts';
import type { OpenedKit } from '../kit/open-kit.ts';
import { placeText } from '../kit/places.ts';
import type { RescueMember } from './bring-back.ts';

/**
 * The plan of a kit, or as much of it as this version understands. Where its repositories are, and what opens them, the kit says
 * itself. Pure.
 * @throws plan-invalid where no source of it can be understood
 */
export function planOfKit({ plan, repositories, madeWith }: KitContent, directory: string): UnderstoodPlan {
  const known = new Map(repositories.map((each) => [each.name, asPlanned(each)]));
  const understood = understoodPlan(plan.text, { name: plan.name, repositories: known }, directory);
  if (understood !== undefined) return understood;
  throw new HoldfastError('plan-invalid', 'the plan in the kit cannot be understood by this version of Holdfast', {
    hint: `${other(madeWith)} What is in the kit lies open after \`holdfast kit open --kit FILE --to DIRECTORY\`: the page there brings everything back with restic.`,
    context: { madeWith },
  });
}

/** What opens it is the kit's own key, which takes the place of the reference. */
function asPlanned({ place, mirrorOf }: KitRepository): object {
  const store = placeText(place);
  return mirrorOf === undefined ? { store, password: { env: 'HOLDFAST_RESCUE_PASSWORD' } } : { store, mirrorOf };
}

/** What is not gone by, for whoever reads what came of it. */
export function leftOutNotes(leftOut: readonly string[]): string[] {
  return leftOut.map((each) => `left out of the plan in the kit, which this version does not understand: ${each}`);
}

/** A source that is in the kit's plan and cannot be brought back by it. */
export function notUnderstood(
  [source, why]: readonly [string, string],
  stage: number,
  { content: { madeWith } }: OpenedKit,
): RescueMember {
  const error = new HoldfastError(
    'plan-invalid',
    `what the plan says of it is not understood by this version: ${why}`,
    {
      hint: `${other(madeWith)} By hand, the printed page has its lines.`,
      context: { source, madeWith },
    },
  );
  return { source, stage, target: 'none', outcome: 'failed', error };
}

function other(madeWith: string): string {
  return `Use Holdfast ${madeWith}, which made the kit.`;
}
