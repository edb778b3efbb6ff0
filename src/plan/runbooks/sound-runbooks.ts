/** What orders of steps are judged by in a plan that is wrong elsewhere. Pure. */
import { valueAt } from '../issues.ts';
import type { OrderedPlan } from './order-checks.ts';
import { buildRunbook, runbook as runbookSchema } from './runbook-schema.ts';

/**
 * The runbooks of the plan `raw` that are right by themselves, with what they work on as far as it can be read. One that
 * is wrong is left out: what seems wrong with its order may follow from that.
 */
export function soundRunbooks(raw: unknown): OrderedPlan {
  const runbooks = documentsIn(raw, 'runbooks').flatMap(([name, document]) => {
    const parsed = runbookSchema.safeParse(document);
    return parsed.success ? [[name, buildRunbook(name, parsed.data, {})] as const] : [];
  });
  const sources = documentsIn(raw, 'sources').map(
    ([name, document]) => [name, { name, type: String(valueAt(document, ['type'])) }] as const,
  );
  const standbys = documentsIn(raw, 'standbys').map(
    ([name, document]) => [name, { of: String(valueAt(document, ['of'])) }] as const,
  );
  const groups = documentsIn(raw, 'groups').map(([name, document]) => {
    const named = valueAt(document, ['sources']);
    return [name, { sources: Array.isArray(named) ? named.map(String) : [] }] as const;
  });
  return {
    runbooks: new Map(runbooks),
    sources: new Map(sources),
    standbys: new Map(standbys),
    groups: new Map(groups),
  };
}

function documentsIn(raw: unknown, key: string): [string, unknown][] {
  const documents = valueAt(raw, [key]);
  return typeof documents === 'object' && documents !== null ? Object.entries(documents) : [];
}
