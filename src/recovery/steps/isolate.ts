/** Cuts a system off: by a program or a request; by turning users off; or, of PostgreSQL, but for addresses that are let in. */
import { HoldfastError } from '../../foundation/errors.ts';
import { shellWord } from '../../foundation/shell-word.ts';
import { resolveSecret } from '../../plan/index.ts';
import type { AddressGate, UserSwitch } from '../../source/index.ts';
import type { Described, Foreseen, StepContext, StepKind, StepResult } from '../step.ts';
import { afterDeathOfCall, describeCall, foreseeCall, runCall } from './calls/one-call.ts';
import { obstacleOf, serverOf } from './failover/servers.ts';
import { silentText } from './failover/silent.ts';
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
  const { users, allow, url, turn, gate } = await prepare(context);
  const did: string[] = [];
  let isLasting = true;
  if (users.length > 0) {
    const turned = await turn(url, { users, isOn: false }, signal);
    did.push(`${users.join(', ')} of ${step.source} get in no more; ${turned.endedSessions} sessions were ended`);
    if (!turned.isLasting) did.push('the server cannot write it down, and lets them in when it is started again');
    isLasting = turned.isLasting;
  }
  if (allow !== undefined) {
    const { label, endedSessions, silentMs } = await gate!.close(url, allow, signal);
    did.push(
      `${label} lets in ${namesOf(allow)} alone; ${endedSessions} sessions of others were ended${silentText(silentMs)}`,
    );
  }
  return { outcome: isLasting ? 'done' : 'partial', summary: did.join('; '), outputs: {} };
}

/** Undone where it was this step that did it by itself: what a program cut off, nobody here can join again. */
async function undo(context: Context): Promise<string> {
  if (isCall(context.step)) return 'what was cut off stays so: the program or request that did it knows how to undo it';
  const { users, allow, url, turn, gate } = await prepare(context);
  const { source } = context.step;
  const undone: string[] = [];
  if (allow !== undefined) {
    const wasClosed = await gate!.open(url, context.signal);
    undone.push(wasClosed ? `${source} lets in whoever its own rules do again` : `${source} keeps nobody out`);
  }
  if (users.length > 0) {
    await turn(url, { users, isOn: true }, context.signal);
    undone.push(`${users.join(', ')} of ${source} get in again`);
  }
  return undone.join('; ');
}

function describe(context: Context): Described {
  const { step, workspace } = context;
  if (isCall(step)) return describeCall(context, step, 'cuts it off');
  const { source, allow } = step;
  const users = (step.users ?? []).map(String);
  const does = [
    ...(users.length === 0 ? [] : [`turns ${users.join(', ')} of ${source} off, and ends their sessions`]),
    ...(allow === undefined
      ? []
      : [`has ${source} let in ${namesOf(allow)} alone, and ends the sessions of all others`]),
  ];
  const isRedis = source !== undefined && workspace.plan.sources.get(source)?.type === 'redis';
  return {
    does: does.length === 0 ? 'cuts it off' : does.join('; '),
    byHand: isRedis ? users.flatMap(redisByHand) : postgresByHand(users, allow),
  };
}

async function foresee(context: Context): Promise<Foreseen> {
  const { step, signal } = context;
  if (isCall(step)) return foreseeCall(context, step, 'cuts it off');
  const obstacles: string[] = [];
  try {
    const prepared = await prepare(context);
    obstacles.push(...(await userObstacles(prepared, signal)), ...(await gateObstacles(prepared, signal)));
  } catch (error) {
    obstacles.push(obstacleOf(error, signal));
  }
  return { ...describe(context), obstacles };
}

async function userObstacles({ url, look, users }: Prepared, signal: AbortSignal): Promise<string[]> {
  if (users.length === 0) return [];
  const { missing, login, mayChange, label } = await look(url, users, signal);
  return [
    ...(missing.length > 0 ? [`${label} has no users ${missing.join(', ')}`] : []),
    ...(mayChange ? [] : [`${login} may not change users at ${label}`]),
    ...(users.includes(login) ? [`${login} is who the step logs in as, and would cut itself off`] : []),
  ];
}

async function gateObstacles({ url, allow, gate }: Prepared, signal: AbortSignal): Promise<string[]> {
  if (allow === undefined || gate === undefined) return [];
  return gate.obstacles(url, allow, signal);
}

function isCall({ exec, http }: Context['step']): boolean {
  return exec !== undefined || http !== undefined;
}

interface Prepared extends UserSwitch {
  users: string[];
  /** Who still gets in; undefined where addresses make no difference. */
  allow: string[] | undefined;
  url: string;
  /** Of a server that knows of addresses. */
  gate: AddressGate | undefined;
}

/** @throws bad-usage, secret-unavailable */
async function prepare({ step, workspace }: Context): Promise<Prepared> {
  const { adapters } = workspace.environment;
  const users = (step.users ?? []).map(String);
  const { allow } = step;
  const source = step.source === undefined ? undefined : workspace.sources([step.source])[0];
  if (source?.type !== 'postgres' && source?.type !== 'redis') {
    throw unusable(
      'names nothing that it could cut off',
      'Give it `exec`, `http`, or a `source` of type postgres or redis.',
    );
  }
  if (users.length === 0 && allow === undefined)
    throw unusable('says not whom it cuts off', 'Name `users` to be turned off, or with `allow` who still gets in.');
  if (source.type === 'redis' && allow !== undefined)
    throw unusable(
      'has `allow`, and Redis knows of no addresses',
      'Name `users`, or let a program change the firewall.',
    );
  const isPostgres = source.type === 'postgres';
  const userSwitch = await (isPostgres ? adapters.postgresUsers?.() : adapters.redisUsers?.());
  const gate = isPostgres ? await adapters.postgresGate?.() : undefined;
  if (userSwitch === undefined || (isPostgres && gate === undefined))
    throw new HoldfastError('internal', 'there is nothing that a server could be cut off with');
  const url = await resolveSecret(step.url ?? serverOf(workspace, source.name, source.type), workspace.references);
  return { ...userSwitch, users, allow, url, gate };
}

function namesOf(allow: readonly string[]): string {
  return allow.length === 0 ? 'nobody' : allow.join(', ');
}

function redisByHand(user: string): string[] {
  const name = shellWord(user);
  return [`redis-cli ACL SETUSER ${name} off`, `redis-cli CLIENT KILL USER ${name}`];
}

function postgresByHand(users: readonly string[], allow: readonly string[] | undefined): string[] {
  const turned = users.map((user) => `psql -c ${shellWord(`ALTER ROLE "${user.replaceAll('"', '""')}" NOLOGIN`)}`);
  const ended = `psql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')"`;
  if (allow === undefined) return [...turned, ended];
  const rules = allow.map((each) =>
    each === 'local' ? '#   local all all peer' : `#   host all all ${each} scram-sha-256`,
  );
  return [
    ...turned,
    '# On top of pg_hba.conf (psql -c "SHOW hba_file"), also for `replication` where standbys are to follow:',
    ...[...rules, '#   host all all all reject', '#   local all all reject'],
    'psql -c "SELECT pg_reload_conf()"',
    ended,
  ];
}

function unusable(what: string, hint: string): HoldfastError {
  return new HoldfastError('bad-usage', `the step ${what}`, { hint });
}
