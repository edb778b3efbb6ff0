import { stringify } from 'yaml';
import type { LoadedPlan } from './load.ts';
import { effectiveRetention } from './retention-schema.ts';
import type { PlanDocument } from './schema.ts';
import { homeRepository } from './view.ts';

/** The plan with everything filled in that its author left out, in the notation it was written in. */
export function showPlan({ document }: Pick<LoadedPlan, 'document'>): PlanDocument {
  const onlyRepository = homeRepository(document);
  const sources = Object.entries(document.sources).map(([name, { validate, ...source }]) => {
    const objectives = { ...document.objectives, ...source.objectives };
    const retention = effectiveRetention(source);
    const own = { objectives, repository: source.repository ?? onlyRepository, ...(retention && { retention }) };
    return [name, { ...source, ...own, validate }];
  });
  return { ...document, sources: Object.fromEntries(sources) };
}

/** `showPlan` as YAML. */
export function showPlanYaml(loaded: Pick<LoadedPlan, 'document'>): string {
  return stringify(showPlan(loaded), { aliasDuplicateObjects: false, lineWidth: 0 });
}
