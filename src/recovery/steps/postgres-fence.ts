import { HoldfastError } from '../../foundation/errors.ts';
import { lsnText } from '../../repository/index.ts';
import type { PostgresFence } from '../../source/index.ts';
import type { Described, Foreseen, StepContext, StepKind, StepResult } from '../step.ts';
import { FENCE_TIMEOUT_MS, ifReached, obstacleOf, postgresFailoverOf, serverOf, urlOf } from './failover/servers.ts';
import { silentText } from './failover/silent.ts';

type Context = StepContext<'postgres.fence'>;

/** Keeps a primary from taking writes; one that is out of reach stays to be fenced, at first sight. */
export const postgresFence: StepKind<'postgres.fence'> = { describe, foresee, run, undo, inDrill: 'run' };

async function urls({ step, workspace }: Context): Promise<{ admin: string; application: string }> {
  const planned = serverOf(workspace, step.source, 'postgres');
  const application = await urlOf(workspace, undefined, planned);
  const admin = await urlOf(workspace, step.url, planned);
  // Where the step names another server than the plan does, that is the one from which applications have to be kept.
  return { admin, application: step.url === undefined ? application : admin };
}

async function run(context: Context): Promise<StepResult> {
  const { step, workspace, signal } = context;
  const failover = await postgresFailoverOf(workspace);
  const servers = await urls(context);
  const isThere = (await ifReached(signal, (reach) => failover.look(servers.admin, reach))) !== undefined;
  const fence = isThere
    ? await ifReached(signal, (reach) => failover.fence(servers, reach), FENCE_TIMEOUT_MS)
    : undefined;
  if (fence === undefined) return pending(step.source);
  if (fence.isStandby) throw notPrimary(fence);
  return {
    outcome: 'done',
    summary: inWords(fence),
    outputs: { proven: true, pending: false, position: lsnText(fence.lsn) },
  };
}

function pending(source: string): StepResult {
  return {
    outcome: 'partial',
    summary: `the server of ${source} cannot be reached, so that nobody knows whether it takes writes; it is fenced as soon as it is seen`,
    outputs: { proven: false, pending: true },
  };
}

/** What it follows is the server to be fenced: that this one takes no writes proves nothing. */
function notPrimary({ label }: PostgresFence): HoldfastError {
  return new HoldfastError('source-changed', `${label} is a standby, and no primary that could be fenced`, {
    hint: 'Give the step the `url:` of the server that is the primary now.',
    context: { database: label },
  });
}

function inWords({ label, endedSessions, silentMs, preparedTransactions }: PostgresFence): string {
  const prepared = preparedTransactions === 0 ? '' : `; ${preparedTransactions} prepared transactions wait there`;
  return `${label} lets nobody in any more, ${endedSessions} sessions were ended, and a login as the application was refused${silentText(silentMs)}${prepared}`;
}

function describe({ step }: Context): Described {
  return {
    does: `has the server of ${step.source} refuse every new session and ends those that there are`,
    byHand: [
      '# As a superuser on the old primary: nobody gets in any more, then those inside are ended.',
      `psql -c "ALTER SYSTEM SET session_preload_libraries = 'fenced_by_holdfast'" -c "SELECT pg_reload_conf()"`,
      `PGOPTIONS="-c session_preload_libraries=" psql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"`,
    ],
  };
}

async function foresee(context: Context): Promise<Foreseen> {
  const { step, workspace, signal } = context;
  const obstacles: string[] = [];
  try {
    const failover = await postgresFailoverOf(workspace);
    const { admin } = await urls(context);
    const state = await ifReached(signal, (reach) => failover.look(admin, reach));
    if (state === undefined)
      obstacles.push(`the server of ${step.source} cannot be reached: its fence would stay pending`);
    else if (!state.isSuperuser) obstacles.push(`the role at ${state.label} is no superuser, which a fence needs`);
  } catch (error) {
    obstacles.push(obstacleOf(error, signal));
  }
  return { ...describe(context), obstacles };
}

/** A fence is lifted only where nobody else is the primary by now. */
async function undo(context: Context): Promise<string> {
  const { step, workspace, signal } = context;
  const failover = await postgresFailoverOf(workspace);
  const { admin } = await urls(context);
  const others = [...workspace.plan.standbys.values()].filter(({ of }) => of === step.source);
  for (const { name, url } of others) {
    const standbyUrl = await urlOf(workspace, undefined, url);
    if (standbyUrl === admin) continue;
    const state = await ifReached(signal, (reach) => failover.look(standbyUrl, reach));
    if (state?.isStandby === true) continue;
    const why = state === undefined ? 'cannot be asked what it is' : 'is a primary now';
    return `the server of ${step.source} stays fenced, since ${name} ${why}`;
  }
  const lifted = await ifReached(signal, (reach) => failover.unfence(admin, reach));
  if (lifted === undefined) return `the server of ${step.source} cannot be reached; a fence that it has stays`;
  return lifted ? `the fence of the server of ${step.source} is lifted` : `the server of ${step.source} has no fence`;
}
