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
/** Where they say that an endpoint which the kit does not know is theirs; several one behind the other. */
export const ENDPOINT_VARIABLE = 'HOLDFAST_RESCUE_ENDPOINT';

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The plan with each repository where the kit has it and opened by the kit's own key. What a source refers to is on no empty
 * machine, and what lives is not to be reached: sources have neither references nor addresses. Pure.
 */
export function rescuePlan({ maintenance: _, ...plan }: Plan, kit: KitContent, variables: Variables = {}): Plan {
  const kept = new Map(kit.repositories.map((each) => [each.name, each]));
  const unconfirmed = unconfirmedEndpoints(plan, kit, variables);
  const reachedBy = <T extends Repository | Mirror>(planned: T): T => {
    const known = kept.get(planned.name);
    if (known !== undefined) return { ...planned, ...storeOfPlace(known.place) };
    // What else leads there may be a program's to say, and credentials go to wherever it is.
    const { s3: _s3, gcs: _gcs, ...rest } = planned;
    if (unconfirmed.has(planned.name)) return { ...rest, store: STORE, s3: { pathStyle: false } } as T;
    return { ...rest, store: asGiven(planned.store, STORE), ...literalOptions(planned) } as T;
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

/**
 * The endpoints of repositories and mirrors that the kit does not know, by name, where neither the kit has another one there nor
 * whoever rescues has confirmed it: whoever answers at an endpoint is sent what credentials give. Pure.
 */
export function unconfirmedEndpoints(
  { repositories, mirrors }: Pick<Plan, 'repositories' | 'mirrors'>,
  kit: KitContent,
  variables: Variables,
): Map<string, string> {
  const known = new Set(kit.repositories.map(({ name }) => name));
  const confirmed = new Set([
    ...kit.repositories.flatMap(({ place }) => (place.kind === 'local' ? [] : [place.endpoint])),
    ...(variables[ENDPOINT_VARIABLE] ?? '').split(/\s+/),
  ]);
  return new Map(
    [...repositories.values(), ...mirrors.values()].flatMap(({ name, s3, gcs }) => {
      const endpoint = s3.endpoint ?? gcs?.endpoint;
      if (endpoint === undefined || known.has(name)) return [];
      if (typeof endpoint !== 'string') return [[name, 'a reference'] as const];
      return confirmed.has(endpoint) ? [] : [[name, endpoint] as const];
    }),
  );
}

/** How a store is reached to read from it: nothing that would have to be looked up, or that leads to another host than it says. */
function literalOptions({ s3, gcs }: Pick<Repository, 's3' | 'gcs'>): Pick<Repository, 's3' | 'gcs'> {
  const { pathStyle, region, endpoint } = s3;
  const isRegion = typeof region === 'string' && /^[a-z0-9-]+$/.test(region);
  const ofS3 = { pathStyle, ...(isRegion && { region }), ...(typeof endpoint === 'string' && { endpoint }) };
  return { s3: ofS3, ...(typeof gcs?.endpoint === 'string' && { gcs: { endpoint: gcs.endpoint } }) };
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
