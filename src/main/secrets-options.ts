import type { Source as PlanSource, ReferenceContext } from '../plan/index.ts';
import type { SecretsSourceOptions } from '../source/secrets/index.ts';

/** What a source of secrets of the plan is made of; what it refers to is fetched when the secrets are read. */
export async function secretsOptions(
  { name, from, validate }: Extract<PlanSource, { type: 'secrets' }>,
  references: ReferenceContext,
): Promise<Omit<SecretsSourceOptions, 'version'>> {
  const { resolveReferences } = await import('../plan/index.ts');
  return {
    ...{ name, variables: references.env },
    places: () => resolveReferences(from, references),
    validate: await resolveReferences(validate, references),
  };
}
