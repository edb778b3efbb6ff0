import type { Plan } from '../../src/plan/index.ts';
import { planSchema } from '../../src/plan/schema.ts';
import { buildPlan } from '../../src/plan/view.ts';

/** A plan called `test` with the format's defaults, no repositories and no sources, but for what is given. */
export function planWith(more: Partial<Plan>): Plan {
  const document = planSchema.parse({ version: 1, name: 'test', repositories: {}, sources: {} });
  return { ...buildPlan(document, '/'), ...more };
}
