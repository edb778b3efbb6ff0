import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../foundation/errors.ts';
import { formatDuration } from '../../foundation/units.ts';
import { withoutPassword } from '../../foundation/url-password.ts';
import { storedEnd } from '../../operations/index.ts';
import type { PlannedStandby } from '../../plan/index.ts';
import { lsnText } from '../../repository/index.ts';
import type { PostgresFailover, PostgresServerState } from '../../source/index.ts';
import type { Described, Foreseen, Outputs, StepContext, StepKind, StepResult } from '../step.ts';
import { recordMove } from './failover/moves.ts';
import { parsePosition } from './failover/position.ts';
import { type KnownEnd, lossInWords, type PossibleLoss, possibleLoss } from './failover/possible-loss.ts';
import { ifReached, obstacleOf, postgresFailoverOf, serverOf, urlOf } from './failover/servers.ts';

type Context = StepContext<'postgres.promote'>;

/** Makes a standby the primary; asks first where that may lose more than was promised, or where two could take writes. */
export const postgresPromote: StepKind<'postgres.promote'> = { describe, foresee, run, inDrill: 'run' };

/** How long what a fenced primary still has to send is waited for, without any of it coming. */
const STILL_MS = 5000;
const PAUSE_MS = 100;

interface Servers {
  failover: PostgresFailover;
  planned: PlannedStandby;
  url: string;
  /** The other servers of the cluster that the plan knows, one of which is the primary. */
  others: string[];
  rpoMs: number | undefined;
}

async function serversOf({ step, workspace }: Context): Promise<Servers> {
  const planned = workspace.plan.standbys.get(step.standby);
  if (planned === undefined) {
    throw new HoldfastError('bad-usage', `the plan has no standby ${step.standby}`, {
      hint: 'Name one under `standbys:`.',
    });
  }
  const url = await urlOf(workspace, step.url, planned.url);
  const known = [serverOf(workspace, planned.of, 'postgres'), planned.url];
  const others = await Promise.all(known.map((each) => urlOf(workspace, undefined, each)));
  const { rpoMs } = workspace.plan.sources.get(planned.of)!.objectives;
  const failover = await postgresFailoverOf(workspace);
  return { failover, planned, url, others: others.filter((each) => each !== url), rpoMs };
}

/** The primary, as far as it can be seen. */
interface SeenPrimary {
  state?: PostgresServerState;
  /** That it takes no writes is certain. */
  isFenced: boolean;
}

async function run(context: Context): Promise<StepResult> {
  const { workspace, signal } = context;
  const servers = await serversOf(context);
  const before = await servers.failover.look(servers.url, signal);
  let loss = lossNoted(context.noted);
  if (before.isStandby) {
    const primary = await seePrimary(context, servers, before);
    const standby = await caughtUp(context, servers, { standby: before, primary });
    loss = possibleLoss(
      standby,
      await endsOf(context, servers, primary, before.system),
      workspace.environment.clock.nowMs(),
    );
    const question = questionOf(servers, { before, primary, loss });
    if (question !== undefined) await context.ask({ what: 'approve', question });
    // Once it is promoted nobody can tell any more, and this process may end before the step does.
    await context.note(lossOutputs(loss));
  }
  const { label, wasStandby, timeline, forkLsn } = await servers.failover.promote(servers.url, signal);
  await recordMove(context);
  const now = wasStandby ? 'is the primary now' : loss ? 'was promoted by this step before' : 'was a primary already';
  return {
    outcome: 'done',
    summary: `${label} ${now}, on timeline ${timeline}${loss ? `; what was lost: ${lossInWords(loss)}` : ''}`,
    outputs: {
      url: withoutPassword(servers.url),
      timeline,
      ...(forkLsn !== undefined && { position: lsnText(forkLsn) }),
      ...(loss && lossOutputs(loss)),
    },
  };
}

function lossOutputs({ bytes, ms }: PossibleLoss): Outputs {
  return { lostBytes: Number(bytes), ...(ms !== undefined && { lostMs: ms }) };
}

/** What an attempt that died, or failed behind the promotion, had found out; undefined where none did. */
function lossNoted({ lostBytes, lostMs }: Outputs): PossibleLoss | undefined {
  if (typeof lostBytes !== 'number') return undefined;
  const isExact = lostBytes === 0 && lostMs === 0;
  return { bytes: BigInt(lostBytes), isExact, ...(typeof lostMs === 'number' && { ms: lostMs }) };
}

/** Looks for the primary among the servers that the plan knows, and at what was found of it earlier. */
async function seePrimary(context: Context, servers: Servers, standby: PostgresServerState): Promise<SeenPrimary> {
  for (const other of servers.others) {
    const state = await ifReached(context.signal, (reach) => servers.failover.look(other, reach));
    if (state === undefined || state.isStandby || state.system !== standby.system) continue;
    return { state, isFenced: state.isFenced };
  }
  // A fence outlives the server's end: who was fenced and is gone takes no writes.
  return { isFenced: fencesOf(context, servers.planned.of).some(({ id }) => context.output(id, 'proven') === true) };
}

/** The steps of the runbook that fence the server of a source. */
function fencesOf({ run }: Context, source: string): { id: string }[] {
  return run.steps.filter(({ document }) => document.do === 'postgres.fence' && document.source === source);
}

/** Where the primary is fenced and sends still, its standby gets all that it has. @returns the standby then */
async function caughtUp(
  { signal, tell, clock }: Context,
  { failover, url }: Servers,
  { standby, primary }: { standby: PostgresServerState; primary: SeenPrimary },
): Promise<PostgresServerState> {
  let state = standby;
  const end = primary.state?.lsn;
  if (end === undefined || !primary.isFenced || state.lsn >= end) return state;
  tell(`waits until ${state.label} has all that the fenced primary has`);
  for (let stillSinceMs = clock.monotonicMs(); state.lsn < end; ) {
    await pause(PAUSE_MS, undefined, { signal });
    const now = await failover.look(url, signal);
    if (now.lsn > state.lsn) stillSinceMs = clock.monotonicMs();
    state = now;
    if (clock.monotonicMs() - stillSinceMs > STILL_MS) break;
  }
  return state;
}

/** What is known of how far the primary went: by itself, by the step that fenced it, by what the repository has of its log. */
async function endsOf(
  context: Context,
  { planned }: Servers,
  { state, isFenced }: SeenPrimary,
  system: string,
): Promise<KnownEnd[]> {
  const seen = state === undefined ? [] : [{ lsn: state.lsn, isFinal: isFenced }];
  const fenced = fencesOf(context, planned.of).flatMap(({ id }): KnownEnd[] => {
    const position = context.output(id, 'position');
    return typeof position === 'string' ? [{ lsn: parsePosition(position), isFinal: true }] : [];
  });
  const stored = await storedEnd(context.workspace, planned.of, system);
  const inRepository =
    stored === undefined
      ? []
      : [{ lsn: stored.lsn, isFinal: false, ...(stored.coveredMs !== undefined && { ms: stored.coveredMs }) }];
  return [...seen, ...fenced, ...inRepository];
}

/** @returns undefined where nothing stands against it */
function questionOf(
  { rpoMs, planned }: Servers,
  { before, primary, loss }: { before: PostgresServerState; primary: SeenPrimary; loss: PossibleLoss },
): string | undefined {
  const reasons: string[] = [];
  if (!primary.isFenced) {
    reasons.push(
      primary.state === undefined
        ? `the old primary of ${planned.of} cannot be reached, and nobody knows whether it still takes writes: cut it off from its clients first`
        : `the old primary ${primary.state.label} still takes writes, which would be lost`,
    );
  }
  const isWithin =
    loss.isExact && loss.bytes === 0n ? true : loss.ms !== undefined && (rpoMs === undefined || loss.ms <= rpoMs);
  if (!isWithin) {
    const promised = rpoMs === undefined ? '' : `; promised is ${formatDuration(rpoMs)}`;
    reasons.push(`what would be lost is ${lossInWords(loss)}${promised}`);
  }
  if (reasons.length === 0) return undefined;
  return `Promote ${before.label} all the same? ${reasons.join('; and ')}.`;
}

function describe({ step }: Context): Described {
  return {
    does: `makes the standby ${step.standby} the primary`,
    byHand: [
      '# On the standby: how far it is behind, then the promotion.',
      'psql -c "SELECT pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), now() - pg_last_xact_replay_timestamp()"',
      'psql -c "SELECT pg_promote()"',
    ],
  };
}

async function foresee(context: Context): Promise<Foreseen> {
  const { signal } = context;
  const obstacles: string[] = [];
  const described = describe(context);
  try {
    const servers = await serversOf(context);
    const state = await servers.failover.look(servers.url, signal);
    if (!state.isStandby) described.does = `leaves ${state.label} as it is, which is a primary already`;
    else if (!state.isSuperuser)
      obstacles.push(`the role at ${state.label} is no superuser, and may need EXECUTE on pg_promote`);
  } catch (error) {
    obstacles.push(obstacleOf(error, signal));
  }
  return { ...described, obstacles };
}
