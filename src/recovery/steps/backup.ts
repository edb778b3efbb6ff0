import { HoldfastError } from '../../foundation/errors.ts';
import { formatSize } from '../../foundation/units.ts';
import { backup as backUp, logStatus, moveSource, verify } from '../../operations/index.ts';
import { hasLog } from '../../plan/index.ts';
import type { StepContext, StepKind } from '../step.ts';
import { type Move, moveBy } from './failover/moves.ts';
import { logBehindText } from './log-behind.ts';
import { workspaceOf } from './step-workspace.ts';
import { assertFilled } from './unfilled.ts';

type Context = StepContext<'backup'>;

/** Takes backups of sources where they are now, and proves them. */
export const backup: StepKind<'backup'> = {
  describe: (context) => {
    const { sources, prove } = context.step;
    const names = sources.join(', ');
    const moves = [...new Map(movesOf(context).map((move) => [move.source, whereText(move)])).values()];
    return {
      does: `backs up ${names}${moves.length === 0 ? '' : ` (${moves.join('; ')})`}${prove ? ` and proves ${sources.length === 1 ? 'it' : 'them'} in a sandbox` : ''}`,
      byHand: [`holdfast backup ${sources.join(' ')}`, ...(prove ? [`holdfast verify ${sources.join(' ')}`] : [])],
    };
  },
  foresee: async (context) => {
    const { sources } = context.step;
    const obstacles: string[] = [];
    const { workspace } = context;
    for (const planned of workspace.sources(sources)) {
      try {
        const source = await workspace.createSource(planned);
        const findings = await source.examine({ signal: context.signal, longestGapMs: undefined });
        const missing = findings.filter(({ level }) => level === 'missing');
        obstacles.push(...missing.map(({ about, message }) => `${planned.name}: ${about} ${message}`));
        await workspace.open(planned.repository);
      } catch (error) {
        context.signal.throwIfAborted();
        if (!(error instanceof HoldfastError)) throw error;
        obstacles.push(`${planned.name}: ${error.message}`);
      }
    }
    return { ...backup.describe(context), obstacles };
  },
  async run(context) {
    assertFilled(context.step);
    const { sources, prove } = context.step;
    const workspace = workspaceOf(context);
    // A promotion records it itself; one that a person did by hand could not.
    const done = new Map(movesOf(context).flatMap((move) => (move.isDone ? [[move.source, move.to]] : [])));
    for (const [source, to] of done)
      if (context.run.kind === 'incident') await moveSource(workspace, { source, to, run: context.run.id });
    const outcomes = await backUp(workspace, sources);
    context.signal.throwIfAborted();
    const snapshots: string[] = [];
    for (const outcome of outcomes) {
      if (outcome.outcome === 'failed') throw outcome.error;
      snapshots.push(outcome.snapshot);
      context.tell(`${outcome.source}: snapshot ${outcome.snapshot.slice(0, 8)} as of ${outcome.time}`);
      for (const { item, error } of outcome.problems) context.tell(`${outcome.source}: ${item}: ${error.message}`);
    }
    if (prove) await proveAll(context, sources, snapshots);
    const isWhole = outcomes.every(({ outcome }) => outcome === 'complete');
    const bytes = outcomes.reduce((sum, each) => sum + (each.outcome === 'failed' ? 0 : each.bytesProcessed), 0);
    const proven = prove ? ', and it came back whole in a sandbox' : '';
    const lacking = isWhole ? '' : '; some of it could not be read';
    const logs = prove ? await logsBehind(context, sources, snapshots) : [];
    return {
      outcome: isWhole ? 'done' : 'partial',
      summary: `backed up ${sources.join(', ')}, ${[`${formatSize(bytes)}${proven}${lacking}`, ...logs].join('; ')}`,
      outputs: { snapshots: snapshots.join(' '), proven: prove },
    };
  },
  leaves: () => 'backups that were taken stay',
  inDrill: 'skip',
};

interface KnownMove extends Move {
  /** Whether the promotion has ended well. */
  isDone: boolean;
}

/** Where earlier steps of the runbook move the sources of this one, in their order. */
function movesOf({ workspace, run, step, output }: Context): KnownMove[] {
  const index = run.steps.findIndex(({ id }) => id === step.id);
  return run.steps.slice(0, Math.max(0, index)).flatMap(({ id, document }) => {
    const move = moveBy(workspace, document);
    if (move === undefined || !step.sources.includes(move.source)) return [];
    const state = output(id, 'state');
    return [{ ...move, isDone: state === undefined ? output(id, 'url') !== undefined : state === 'done' }];
  });
}

/** Where it is by then, as a person is told. */
function whereText({ source, to }: Move): string {
  if (to === 'plan') return `${source} from where the plan says`;
  return `${source} from ${'standby' in to ? to.standby : 'its replica'}, where it is by then`;
}

/** Whether the log of each source that has one goes on from its backup, in words: every moment behind that is protected only then. */
async function logsBehind(
  { workspace }: Context,
  sources: readonly string[],
  snapshots: readonly string[],
): Promise<string[]> {
  const said: string[] = [];
  for (const [index, planned] of workspace.sources(sources).entries()) {
    if (!hasLog(planned)) continue;
    const opened = await workspace.openToRead(workspace.repositoryName(planned.repository));
    const events = await opened.ledger.events({ kinds: ['backup.finished', 'log.gap'] });
    const log = await logStatus(workspace, opened, planned, events);
    said.push(logBehindText(planned.name, log, snapshots[index]));
  }
  return said;
}

/** @throws validation-failed, not-provable: a backup that was to be proven and is not protects nobody */
async function proveAll(context: Context, sources: readonly string[], snapshots: readonly string[]): Promise<void> {
  const workspace = workspaceOf(context);
  for (const [index, source] of sources.entries()) {
    const { proofs } = await verify(workspace, { sources: [source], snapshot: snapshots[index]! });
    const { state, checksFailed, reason } = proofs[0]!;
    if (state === 'proven') continue;
    const what = `the backup of ${source}, snapshot ${snapshots[index]!.slice(0, 8)},`;
    if (state === 'failed') {
      throw new HoldfastError(
        'validation-failed',
        `${what} does not come back as it is to be: ${checksFailed.join(', ')}`,
        {
          hint: 'Look at what failed: the source is not protected before a backup of it is proven.',
        },
      );
    }
    throw new HoldfastError(
      'not-provable',
      `${what} cannot be proven here: ${reason ?? 'not everything could be looked at'}`,
      {
        hint: 'Install what is missing, or have it verified on another machine.',
      },
    );
  }
}
