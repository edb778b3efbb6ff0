/** What a drill works with: the repositories, to be read, and nothing of the living. */
import { HoldfastError } from '../../foundation/errors.ts';
import { type Adapters, Workspace } from '../../operations/index.ts';
import type { Plan, Source as PlanSource, Runbook } from '../../plan/index.ts';
import type { AddressGate, PostgresFailover, RedisFailover, Source, UserSwitch } from '../../source/index.ts';
import type { DrillServers } from './drill-servers.ts';

/** A name that is never anybody's: RFC 6761. */
const NOWHERE = 'holdfast-drill.invalid';

/**
 * The same plan without the addresses of what lives, with adapters that know of copies alone: there is no channel, no failover
 * and no secret that could be written, and a source can be restored and looked at, and not captured.
 */
export function drillWorkspace(
  { plan, planPath, environment }: Workspace,
  runbook: Runbook,
  servers?: DrillServers,
): Workspace {
  const path = planPath === undefined ? {} : { path: planPath };
  const { adapters } = environment;
  const onCopies = servers && failoverOf(adapters, servers);
  return new Workspace(
    { plan: drillPlan(plan, runbook, servers), ...path },
    { ...environment, adapters: { ...drillAdapters(adapters), ...onCopies } },
  );
}

function drillPlan({ maintenance: _, ...plan }: Plan, runbook: Runbook, servers: DrillServers | undefined): Plan {
  const standbys = [...plan.standbys].flatMap(([name, standby]) => {
    const copy = servers?.standby(name);
    return copy === undefined ? [] : [[name, { ...standby, url: copy.url }] as const];
  });
  return {
    ...plan,
    sources: new Map(
      [...plan.sources].map(([name, source]) => [name, withAddress(source, servers?.of(name)?.copies.primary.url)]),
    ),
    standbys: new Map(standbys),
    services: new Map(),
    runbooks: new Map([[runbook.name, runbook]]),
  };
}

/**
 * Programs that check a copy run beside the living: a drill does without them, and says so.
 * @param url of the copy of its server; nobody's, when left out
 */
function withAddress(source: PlanSource, url: string | undefined): PlanSource {
  const checked = { ...source, validate: source.validate.filter(({ kind }) => kind !== 'exec') } as PlanSource;
  if (checked.type === 'postgres') {
    const { standby: _, ...postgres } = checked;
    return { ...postgres, url: url ?? `postgresql://${NOWHERE}/none` };
  }
  return checked.type === 'redis' ? { ...checked, url: url ?? `redis://${NOWHERE}` } : checked;
}

/** Whether the plan has checks of a source that a drill does without. */
export function hasProgramChecks({ plan }: Workspace, source: string): boolean {
  return plan.sources.get(source)?.validate.some(({ kind }) => kind === 'exec') === true;
}

function drillAdapters(adapters: Adapters): Adapters {
  const { cached, readCloudSecret } = adapters;
  return {
    openStore: (...given) => adapters.openStore(...given),
    ...(cached && { cached: (...given) => cached.apply(adapters, given) }),
    createSource: async (planned, { moved: _, ...context }) =>
      copiesOnly(await adapters.createSource(planned, context)),
    ...(readCloudSecret && { readCloudSecret: (...given) => readCloudSecret(...given) }),
    createSandbox: (...given) => adapters.createSandbox(...given),
    startDemoServer: () => refuse('the demo'),
  };
}

/** What is done to servers, for the copies of a drill alone. */
function failoverOf(
  { postgresFailover, redisFailover, postgresUsers, postgresGate }: Adapters,
  servers: DrillServers,
): Pick<Adapters, 'postgresFailover' | 'redisFailover' | 'postgresUsers' | 'postgresGate'> {
  const known = async (...places: string[]): Promise<void> => {
    for (const place of places) if (!servers.has(place)) await refuse('a server');
  };
  return {
    ...(postgresFailover && { postgresFailover: async () => postgresOnCopies(await postgresFailover(), known) }),
    ...(redisFailover && { redisFailover: async () => redisOnCopies(await redisFailover(), known) }),
    ...(postgresUsers && { postgresUsers: async () => usersOnCopies(await postgresUsers(), known) }),
    ...(postgresGate && { postgresGate: async () => gateOnCopies(await postgresGate(), known) }),
  };
}

type Known = (...places: string[]) => Promise<void>;

function postgresOnCopies(real: PostgresFailover, known: Known): PostgresFailover {
  return {
    look: async (url, signal) => known(url).then(() => real.look(url, signal)),
    fence: async (urls, signal) => known(urls.admin, urls.application).then(() => real.fence(urls, signal)),
    unfence: async (url, signal) => known(url).then(() => real.unfence(url, signal)),
    divergence: async (url, forkLsn, signal) => known(url).then(() => real.divergence(url, forkLsn, signal)),
    promote: async (url, signal) => known(url).then(() => real.promote(url, signal)),
    reseed: async (reseed) => known(reseed.directory, reseed.fromUrl).then(() => real.reseed(reseed)),
  };
}

function redisOnCopies(real: RedisFailover, known: Known): RedisFailover {
  return {
    look: async (url, signal) => known(url).then(() => real.look(url, signal)),
    fence: async (url, signal) => known(url).then(() => real.fence(url, signal)),
    unfence: async (url, signal) => known(url).then(() => real.unfence(url, signal)),
    promote: async (url, signal) => known(url).then(() => real.promote(url, signal)),
    follow: async (urls, context) => known(urls.url, urls.from).then(() => real.follow(urls, context)),
  };
}

function usersOnCopies(real: UserSwitch, known: Known): UserSwitch {
  return {
    look: async (url, users, signal) => known(url).then(() => real.look(url, users, signal)),
    turn: async (url, turned, signal) => known(url).then(() => real.turn(url, turned, signal)),
  };
}

function gateOnCopies(real: AddressGate, known: Known): AddressGate {
  return {
    obstacles: async (url, allow, signal) => known(url).then(() => real.obstacles(url, allow, signal)),
    close: async (url, allow, signal) => known(url).then(() => real.close(url, allow, signal)),
    open: async (url, signal) => known(url).then(() => real.open(url, signal)),
  };
}

function copiesOnly(source: Source): Source {
  const { refuse: refuseTarget, release, checkPlanned, query, contents, damage } = source;
  return {
    ...{ name: source.name, type: source.type },
    restore: (...given) => source.restore(...given),
    validate: (...given) => source.validate(...given),
    compare: async (reader, other, context) =>
      other === undefined ? refuse(source.name) : source.compare(reader, other, context),
    ...(release && { release: (...given) => release.apply(source, given) }),
    ...(refuseTarget && { refuse: (...given) => refuseTarget.apply(source, given) }),
    ...(checkPlanned && { checkPlanned: (...given) => checkPlanned.apply(source, given) }),
    ...(query && { query: (...given) => query.apply(source, given) }),
    ...(damage && { damage: (...given) => damage.apply(source, given) }),
    ...(contents && { contents: (...given) => contents.apply(source, given) }),
    examine: () => refuse(source.name),
    capture: () => refuse(source.name),
  };
}

async function refuse(name: string): Promise<never> {
  throw new HoldfastError('internal', `a drill does not touch ${name}, which lives`);
}
