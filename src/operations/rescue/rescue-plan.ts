/** The plan that a rescue goes by: today's sources, read from whichever copies answer, and no address of anything that lives. */
import type { Mirror, Plan, Source as PlanSource, Repository, TextOrReference } from '../../plan/index.ts';
import { withoutReferences } from '../../plan/index.ts';
import type { KitContent } from '../kit/kit-content.ts';
import { storeOfPlace } from '../kit/places.ts';

/** A name that is never anybody's: RFC 6761. */
const NOWHERE = 'holdfast-rescue.invalid';
/** Where who rescues may say what the kit does not know of a repository that is newer. */
const PASSWORD: TextOrReference = { env: 'HOLDFAST_RESCUE_PASSWORD' };
const STORE: TextOrReference = { env: 'HOLDFAST_RESCUE_STORE' };

/**
 * The plan with each repository where the kit has it and opened by the kit's own key. What a source refers to is on no empty
 * machine, and what lives is not to be reached: sources have neither references nor addresses. Pure.
 */
export function rescuePlan({ maintenance: _, ...plan }: Plan, kit: KitContent): Plan {
  const kept = new Map(kit.repositories.map((each) => [each.name, each]));
  const reachedBy = <T extends Repository | Mirror>(planned: T): T => {
    const known = kept.get(planned.name);
    if (known !== undefined) return { ...planned, ...storeOfPlace(known.place) };
    return { ...planned, store: asGiven(planned.store, STORE) };
  };
  const opened = ([name, planned]: readonly [string, Repository]): [string, Repository] => {
    const password = kept.get(name)?.password ?? asGiven(planned.password, PASSWORD);
    return [name, { ...reachedBy(planned), password }];
  };
  return {
    ...plan,
    repositories: new Map([...plan.repositories].map(opened)),
    mirrors: new Map([...plan.mirrors].map(([name, mirror]) => [name, reachedBy(mirror)])),
    sources: new Map([...plan.sources].map(([name, source]) => [name, withoutAddress(source)])),
    standbys: new Map(),
    services: new Map(),
  };
}

/** The plan may be of the ledger, which whoever has the password of a repository can write: no program of it is run, and no file read. */
function asGiven(value: TextOrReference, otherwise: TextOrReference): TextOrReference {
  return typeof value === 'string' || 'env' in value ? value : otherwise;
}

/** Programs that check what came back are not on this machine. */
function withoutAddress(source: PlanSource): PlanSource {
  const checked = { ...source, validate: source.validate.filter(({ kind }) => kind !== 'exec') } as PlanSource;
  const blank = withoutReferences(checked, NOWHERE);
  if (blank.type === 'postgres') {
    const { standby: _, ...postgres } = blank;
    return { ...postgres, url: `postgresql://${NOWHERE}/none` };
  }
  return blank.type === 'redis' ? { ...blank, url: `redis://${NOWHERE}` } : blank;
}

/** The same plan, with each source read from another copy. @param copies by source: the name of a repository, mirror or archive */
export function readFrom(plan: Plan, copies: ReadonlyMap<string, string>): Plan {
  const sources = [...plan.sources].map(([name, source]): [string, PlanSource] => [
    name,
    { ...source, repository: copies.get(name) ?? source.repository },
  ]);
  return { ...plan, sources: new Map(sources) };
}
