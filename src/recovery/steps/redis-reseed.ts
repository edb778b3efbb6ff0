import { resolveSecret } from '../../plan/index.ts';
import type { Described, Foreseen, StepContext, StepKind, StepResult } from '../step.ts';
import { ifReached, obstacleOf, redisFailoverOf, serverOf, urlOf } from './failover/servers.ts';
import { unwrittenReplicas } from './failover/unwritten.ts';

type Context = StepContext<'redis.reseed'>;

/** Makes a server the replica of another one. What it had itself is gone then. */
export const redisReseed: StepKind<'redis.reseed'> = { describe, foresee, run, inDrill: 'run' };

async function urls({ step, workspace }: Context): Promise<{ url: string; from: string }> {
  const url = await urlOf(workspace, step.url, serverOf(workspace, step.source, 'redis'));
  return { url, from: await resolveSecret(step.from, workspace.references) };
}

async function run(context: Context): Promise<StepResult> {
  const { workspace, signal, tell } = context;
  const failover = await redisFailoverOf(workspace);
  const servers = await urls(context);
  const { label } = await failover.look(servers.url, signal);
  const { offset, isLasting } = await failover.follow(servers, { signal, tell });
  const master = new URL(servers.from).host;
  const forgets = isLasting ? '' : `; ${unwrittenReplicas([label], master)}`;
  return {
    outcome: isLasting ? 'done' : 'partial',
    summary: `${label} follows ${master}, and has what that has${forgets}`,
    outputs: { offset: Number(offset) },
  };
}

function describe({ step }: Context): Described {
  return {
    does: `makes the server of ${step.source} a replica; what it has itself is gone then`,
    byHand: ['redis-cli REPLICAOF HOST PORT', 'redis-cli INFO replication   # until master_link_status is up'],
  };
}

async function foresee(context: Context): Promise<Foreseen> {
  const { workspace, signal } = context;
  const obstacles: string[] = [];
  try {
    const failover = await redisFailoverOf(workspace);
    for (const url of Object.values(await urls(context))) {
      if ((await ifReached(signal, (reach) => failover.look(url, reach))) === undefined) {
        obstacles.push(`${new URL(url).host} cannot be reached`);
      }
    }
  } catch (error) {
    obstacles.push(obstacleOf(error, signal));
  }
  return { ...describe(context), obstacles };
}
