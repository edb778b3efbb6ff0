/** Cuts a system off: by a program or a request, or users of Redis by turning them off. */
import { HoldfastError } from '../../foundation/errors.ts';
import { resolveSecret } from '../../plan/index.ts';
import type { UserSwitch } from '../../source/index.ts';
import type { Described, Foreseen, StepContext, StepKind, StepResult } from '../step.ts';
import { afterDeathOfCall, describeCall, foreseeCall, runCall } from './calls/one-call.ts';
import { obstacleOf, serverOf } from './failover/servers.ts';
import { assertFilled } from './unfilled.ts';

type Context = StepContext<'isolate'>;

export const isolate: StepKind<'isolate'> = {
  describe,
  foresee,
  run,
  afterDeath: async ({ step }) => (isCall(step) ? afterDeathOfCall(step, step.repeatable) : 'again'),
  undo,
  inDrill: 'skip',
};

async function run(context: Context): Promise<StepResult> {
  const { step, signal } = context;
  assertFilled(step);
  if (isCall(step)) return runCall(context, step, 'cut it off');
  const { users, url, turn } = await prepare(context);
  const { endedSessions, isLasting } = await turn(url, { users, isOn: false }, signal);
  const forgets = isLasting ? '' : '; the server cannot write it down, and lets them in when it is started again';
  return {
    outcome: isLasting ? 'done' : 'partial',
    summary: `${users.join(', ')} of ${step.source} get in no more; ${endedSessions} sessions were ended${forgets}`,
    outputs: {},
  };
}

/** Undone where it was this step that did it by itself: what a program cut off, nobody here can join again. */
async function undo(context: Context): Promise<string> {
  if (isCall(context.step)) return 'what was cut off stays so: the program or request that did it knows how to undo it';
  const { users, url, turn } = await prepare(context);
  await turn(url, { users, isOn: true }, context.signal);
  return `${users.join(', ')} of ${context.step.source} get in again`;
}

function describe(context: Context): Described {
  const { step } = context;
  if (isCall(step)) return describeCall(context, step, 'cuts it off');
  const users = (step.users ?? []).map(String);
  return {
    does: `turns ${users.join(', ')} of ${step.source} off, and ends their sessions`,
    byHand: users.flatMap((user) => [`redis-cli ACL SETUSER ${user} off`, `redis-cli CLIENT KILL USER ${user}`]),
  };
}

async function foresee(context: Context): Promise<Foreseen> {
  const { step, signal } = context;
  if (isCall(step)) return foreseeCall(context, step, 'cuts it off');
  const users = (step.users ?? []).map(String);
  const obstacles: string[] = [];
  try {
    const { url, look } = await prepare(context);
    const { missing, login, mayChange, label } = await look(url, users, signal);
    if (missing.length > 0) obstacles.push(`${label} has no users ${missing.join(', ')}`);
    if (!mayChange) obstacles.push(`${login} may not change users at ${label}`);
    if (users.includes(login)) obstacles.push(`${login} is who the step logs in as, and would cut itself off`);
  } catch (error) {
    obstacles.push(obstacleOf(error, signal));
  }
  return { ...describe(context), obstacles };
}

function isCall({ exec, http }: Context['step']): boolean {
  return exec !== undefined || http !== undefined;
}

/** @throws step-not-supported, bad-usage, secret-unavailable */
async function prepare(context: Context): Promise<UserSwitch & { users: string[]; url: string }> {
  const { step, workspace } = context;
  const users = (step.users ?? []).map(String);
  const source = step.source === undefined ? undefined : workspace.sources([step.source])[0];
  const userSwitch = await workspace.environment.adapters.redisUsers?.();
  if (source?.type !== 'redis' || users.length === 0 || step.allow !== undefined || userSwitch === undefined) {
    throw new HoldfastError(
      'step-not-supported',
      'this version cuts off by `exec` or `http`, or turns `users` of a Redis source off',
      {
        hint: 'Nothing was done. Let a program or a request change the firewall; a PostgreSQL server refuses everybody after `postgres.fence`.',
      },
    );
  }
  const url = await resolveSecret(step.url ?? serverOf(workspace, source.name, 'redis'), workspace.references);
  return { ...userSwitch, users, url };
}
