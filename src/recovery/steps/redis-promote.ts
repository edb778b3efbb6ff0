import { setTimeout as pause } from 'node:timers/promises';
import { isHoldfastError } from '../../foundation/errors.ts';
import { formatDuration } from '../../foundation/units.ts';
import { withoutPassword } from '../../foundation/url-password.ts';
import type { Workspace } from '../../operations/index.ts';
import { resolveSecret, type Source } from '../../plan/index.ts';
import type { RedisFailover, RedisServerState } from '../../source/index.ts';
import type { Described, Foreseen, StepContext, StepKind, StepResult } from '../step.ts';
import { recordMove } from './failover/moves.ts';
import { ifReached, isSameServer, obstacleOf, redisFailoverOf, serverOf, urlOf } from './failover/servers.ts';
import { unwrittenMaster, unwrittenReplicas } from './failover/unwritten.ts';

type Context = StepContext<'redis.promote'>;

/** Makes a replica the master; the old one, where it can be reached, refuses writes first and follows it then. */
export const redisPromote: StepKind<'redis.promote'> = { describe, foresee, run, inDrill: 'run' };

/** How long what a fenced master still has to send is waited for. */
const CATCH_UP_MS = 10_000;
const PAUSE_MS = 50;

interface Servers {
  failover: RedisFailover;
  url: string;
  before: RedisServerState;
  /** Of the server that was the master before; undefined where the one to be promoted is that itself. */
  masterUrl: string | undefined;
}

async function serversOf({ step, workspace, signal }: Context): Promise<Servers> {
  const failover = await redisFailoverOf(workspace);
  const url = await resolveSecret(step.url, workspace.references);
  const before = await failover.look(url, signal);
  const planned = workspace.sources([step.source])[0]!;
  const known = [
    await leftBefore(workspace, planned),
    await urlOf(workspace, undefined, serverOf(workspace, step.source, 'redis')),
    ...(before.follows === undefined ? [] : [atAddress(url, addressOf(before.follows))]),
  ];
  return { failover, url, before, masterUrl: known.find((each) => each !== undefined && each !== url) };
}

/** Where a promotion before this one left the source: on the way back that is the master. */
async function leftBefore(workspace: Workspace, planned: Source): Promise<string | undefined> {
  try {
    return await workspace.movedUrl(planned);
  } catch (error) {
    // With no ledger in reach, whom the replica follows says it.
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}

async function run(context: Context): Promise<StepResult> {
  const { step, signal, workspace } = context;
  const servers = await serversOf(context);
  const { failover, url, before, masterUrl } = servers;
  const master = await fenceMaster(context, servers);
  // One that is a replica already was re-pointed by an earlier attempt, or is another's.
  const isFenced = master !== undefined && !master.isReplica;
  const state =
    before.isReplica && isFenced ? await caughtUp(context, failover, { url, until: master.offset }) : before;
  const ofAnother = isFenced && state.replicationId !== master.replicationId ? master.label : undefined;
  const hasAll = isFenced && ofAnother === undefined && state.offset >= master.offset;
  const measuredMs = hasAll ? 0 : ofAnother === undefined ? state.silentMs : undefined;
  const lostMs = before.isReplica ? measuredMs : context.noted['lostMs'];
  if (before.isReplica) {
    const rpoMs = workspace.plan.sources.get(step.source)?.objectives.rpoMs;
    const question = questionOf(state, {
      isFenced,
      lostMs: measuredMs,
      rpoMs,
      ...(ofAnother !== undefined && { ofAnother }),
    });
    if (question !== undefined) await context.ask({ what: 'approve', question });
    // Once it is the master nobody can tell any more, and this process may end before the step does.
    await context.note(measuredMs === undefined ? {} : { lostMs: measuredMs });
  }
  const promoted = await failover.promote(url, signal);
  const repointed = isFenced
    ? await repoint(context, failover, { url, masterUrl, replicas: master.replicas })
    : { followers: [], left: [], forgetful: [] };
  // Last: an attempt before this one that died finds the same old master.
  await recordMove(context);
  const isReached = master !== undefined || masterUrl === undefined;
  const { left, forgetful } = repointed;
  const isWhole = isReached && left.length === 0 && forgetful.length === 0 && promoted.isLasting;
  return {
    outcome: isWhole ? 'done' : 'partial',
    summary: inWords(state.label, hostOf(url), { ...promoted, ...repointed, isReached }),
    outputs: {
      url: withoutPassword(url),
      offset: Number(promoted.offset),
      pending: !isReached,
      ...(lostMs !== undefined && { lostMs }),
    },
  };
}

/** @returns the old master, which takes no writes any more; undefined where it is out of reach, or there is none */
async function fenceMaster(
  { signal }: Context,
  { failover, before, masterUrl }: Servers,
): Promise<RedisServerState | undefined> {
  if (masterUrl === undefined) return undefined;
  return ifReached(signal, async (reach) => {
    const seen = await failover.look(masterUrl, reach);
    // By a name that leads to the new master by now, it is that which would be fenced.
    if (!before.isReplica && isSameServer(seen, before)) return { ...seen, isReplica: true };
    return failover.fence(masterUrl, reach);
  });
}

async function caughtUp(
  { signal, clock }: Context,
  failover: RedisFailover,
  { url, until }: { url: string; until: bigint },
): Promise<RedisServerState> {
  for (const deadlineMs = clock.monotonicMs() + CATCH_UP_MS; ; ) {
    const state = await failover.look(url, signal);
    if (state.offset >= until || clock.monotonicMs() > deadlineMs) return state;
    await pause(PAUSE_MS, undefined, { signal });
  }
}

interface Risks {
  isFenced: boolean;
  lostMs: number | undefined;
  rpoMs: number | undefined;
  /** A master that was fenced, and whose commands the replica does not have: positions in their streams mean nothing to each other. */
  ofAnother?: string;
}

function questionOf(
  { label, follows }: RedisServerState,
  { isFenced, lostMs, rpoMs, ofAnother }: Risks,
): string | undefined {
  const reasons: string[] = [];
  if (ofAnother !== undefined) {
    reasons.push(
      `what it has is not from ${ofAnother}, which was fenced: it follows ${follows}; see who takes the writes, and cut that off first`,
    );
  }
  if (!isFenced) {
    reasons.push(
      'the old master cannot be kept from taking writes, since it is out of reach: cut it off from its clients first',
    );
  }
  if (lostMs === undefined) reasons.push('nobody knows since when nothing has come from its master');
  else if (rpoMs !== undefined && lostMs > rpoMs) {
    reasons.push(
      `nothing has come from its master for ${formatDuration(lostMs)}; promised is ${formatDuration(rpoMs)}`,
    );
  }
  return reasons.length === 0 ? undefined : `Make ${label} the master all the same? ${reasons.join('; and ')}.`;
}

interface Repointed {
  followers: string[];
  /** Who does not follow yet. */
  left: string[];
  /** Who follows, and could not write that down. */
  forgetful: string[];
}

/** Has the old master, and those that followed it, follow the new one. */
async function repoint(
  { signal, tell }: Context,
  failover: RedisFailover,
  { url, masterUrl, replicas }: Pick<Servers, 'url' | 'masterUrl'> & { replicas: RedisServerState['replicas'] },
): Promise<Repointed> {
  const [followers, left, forgetful]: [string[], string[], string[]] = [[], [], []];
  if (masterUrl === undefined) return { followers, left, forgetful };
  const promoted = await failover.look(url, signal);
  const others = replicas.map((each) => atAddress(masterUrl, each)).filter((each) => hostOf(each) !== hostOf(url));
  for (const each of [masterUrl, ...others]) {
    try {
      const done = await ifReached(signal, async (reach) => {
        // It was among those that followed, by whatever address.
        if (isSameServer(await failover.look(each, reach), promoted)) return 'promoted';
        const { isLasting } = await failover.follow({ url: each, from: url }, { signal: reach, tell });
        return isLasting ? 'follows' : 'forgets';
      });
      if (done === 'follows' || done === 'forgets') followers.push(hostOf(each));
      if (done === 'forgets') forgetful.push(hostOf(each));
      if (done !== undefined) continue;
      tell(`${hostOf(each)} is out of reach, or has not got all yet`);
    } catch (error) {
      signal.throwIfAborted();
      if (!isHoldfastError(error)) throw error;
      // The promotion is done, and has to be known: one server that refuses keeps nobody from it.
      tell(`${hostOf(each)} does not follow: ${error.message}`);
    }
    left.push(hostOf(each));
  }
  return { followers, left, forgetful };
}

function hostOf(url: string): string {
  return new URL(url).host;
}

/** `host:port`, of which the host may have colons itself. */
function addressOf(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

/** Another server, with the login of one that is known. */
function atAddress(url: string, { host, port }: { host: string; port: number }): string {
  const address = new URL(url);
  address.hostname = host.includes(':') ? `[${host}]` : host;
  address.port = String(port);
  return address.href;
}

function inWords(
  label: string,
  host: string,
  {
    wasReplica,
    isLasting,
    followers,
    left,
    forgetful,
    isReached,
  }: Repointed & { wasReplica: boolean; isLasting: boolean; isReached: boolean },
): string {
  const parts = [wasReplica ? `${label} is the master now` : `${label} was a master already`];
  if (followers.length > 0) parts.push(`${followers.join(', ')} follow it`);
  if (left.length > 0) parts.push(`${left.join(', ')} do not follow it yet: \`redis.reseed\` has them do so`);
  if (!isReached) parts.push('the old master is out of reach, and is to be made a replica when it comes back');
  if (!isLasting) parts.push(unwrittenMaster(host));
  if (forgetful.length > 0) parts.push(unwrittenReplicas(forgetful, host));
  return parts.join('; ');
}

function describe({ step }: Context): Described {
  return {
    does: `makes the replica of ${step.source} the master, after the old one refuses writes`,
    byHand: [
      '# On the old master, where it can be reached: no more writes.',
      'redis-cli CONFIG SET min-replicas-to-write 1000000',
      '# On the replica, then on the old master and every other replica:',
      'redis-cli REPLICAOF NO ONE',
      'redis-cli REPLICAOF HOST PORT',
    ],
  };
}

async function foresee(context: Context): Promise<Foreseen> {
  const { signal } = context;
  const obstacles: string[] = [];
  try {
    await serversOf(context);
  } catch (error) {
    obstacles.push(obstacleOf(error, signal));
  }
  return { ...describe(context), obstacles };
}
