import type { Plan, RuleName } from '../../plan/index.ts';

/** The names of the runbooks whose symptoms a rule is one of. */
export function runbooksFor({ runbooks }: Pick<Plan, 'runbooks'>, rule: RuleName): string[] {
  return [...runbooks.values()].flatMap(({ name, symptoms }) => (symptoms.includes(rule) ? [name] : []));
}
