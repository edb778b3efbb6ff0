import { HoldfastError } from '../foundation/errors.ts';
import type { GitAddress, Source as PlanSource, ReferenceContext } from '../plan/index.ts';
import type { GitSourceOptions } from '../source/git/index.ts';

/** What a git source of the plan is made of; what it refers to is fetched when the repository is first reached. */
export async function gitOptions(
  source: Extract<PlanSource, { type: 'git' }>,
  references: ReferenceContext,
): Promise<Omit<GitSourceOptions, 'version'>> {
  const { parseGitUrl, resolveReferences, resolveSecret } = await import('../plan/index.ts');
  const address = async (): Promise<GitAddress> => {
    const parsed = parseGitUrl(await resolveSecret(source.url, references), references.directory);
    if (!('problem' in parsed)) return parsed;
    throw new HoldfastError(
      'secret-unavailable',
      `what the URL of ${source.name} refers to cannot be used: ${parsed.problem}`,
      {
        hint: 'Correct the value that `url` of the source refers to.',
      },
    );
  };
  const { name, credentials, validate } = source;
  return {
    ...{ name, address, variables: references.env },
    credentials: () => resolveReferences(credentials, references),
    validate: await resolveReferences(validate, references),
  };
}
