import type { Plan, RuleName } from '../../plan/index.ts';

/** The runbooks of a plan: none can be written in it yet. */
function runbooksOf(_plan: Plan): readonly { name: string; symptoms: readonly RuleName[] }[] {
  return [];
}

/** The names of the runbooks whose symptoms a rule is one of. */
export function runbooksFor(plan: Plan, rule: RuleName): string[] {
  return runbooksOf(plan).flatMap(({ name, symptoms }) => (symptoms.includes(rule) ? [name] : []));
}
