import { HoldfastError } from '../../foundation/errors.ts';
import { formatSize } from '../../foundation/units.ts';
import { resolveSecret } from '../../plan/index.ts';
import { lsnText } from '../../repository/index.ts';
import type { Described, Foreseen, StepContext, StepKind, StepResult } from '../step.ts';
import { ifReached, obstacleOf, postgresFailoverOf, serverOf } from './failover/servers.ts';

type Context = StepContext<'postgres.reseed'>;

const DID = { rewound: 'was rewound to', copied: 'was copied from', found: 'is a standby already of' } as const;

/** Makes an old primary a standby of the new one. Its server must be stopped, and is started by a step of its own. */
export const postgresReseed: StepKind<'postgres.reseed'> = { describe, foresee, run, inDrill: 'run' };

async function run({ step, workspace, signal, tell }: Context): Promise<StepResult> {
  const failover = await postgresFailoverOf(workspace);
  serverOf(workspace, step.source, 'postgres');
  const fromUrl = await resolveSecret(step.from, workspace.references);
  const { directory } = step;
  const slot = `holdfast_standby_${step.source.toLowerCase().replace(/[^a-z0-9_]/g, '_')}`.slice(0, 63);
  const done = await failover.reseed({ directory, fromUrl, slot, signal, tell });
  const lost =
    done.divergentBytes === 0n
      ? ''
      : `; ${formatSize(Number(done.divergentBytes))} of its log, which nobody took over, are gone from it`;
  const aside = done.asideDirectory === undefined ? '' : `; what was there lies in ${done.asideDirectory}`;
  return {
    outcome: 'done',
    summary: `${directory} ${DID[done.how]} the new primary, and follows it once its server is started${lost}${aside}`,
    outputs: { position: lsnText(done.lsn), divergentBytes: Number(done.divergentBytes) },
  };
}

function describe({ step }: Context): Described {
  return {
    does: `makes ${step.directory} a standby of the new primary: by what differs, or as a whole copy with the old data kept beside it`,
    byHand: [
      '# As the user of the server, which is stopped. Keep its postgresql.conf and pg_hba.conf: both are overwritten.',
      `pg_rewind --target-pgdata ${step.directory} --source-server "host=… user=…"`,
      `echo "primary_conninfo = 'host=… user=…'" >> ${step.directory}/postgresql.auto.conf`,
      `touch ${step.directory}/standby.signal`,
    ],
  };
}

async function foresee(context: Context): Promise<Foreseen> {
  const { step, workspace, signal } = context;
  const obstacles: string[] = [];
  try {
    const failover = await postgresFailoverOf(workspace);
    const from = await resolveSecret(step.from, workspace.references);
    const state = await ifReached(signal, (reach) => failover.look(from, reach));
    if (state === undefined)
      throw new HoldfastError('source-unreachable', 'the server that it is to follow cannot be reached');
    if (state.isStandby)
      obstacles.push(`${state.label} is a standby itself: let \`from\` name the primary as it is by then`);
    if (!state.isSuperuser) obstacles.push(`the role at ${state.label} is no superuser, which pg_rewind needs`);
  } catch (error) {
    obstacles.push(obstacleOf(error, signal));
  }
  return { ...describe(context), obstacles };
}
