import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { letOthersGoFirst } from '../../foundation/priority.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { EstimateOfSource, SourceOutcome, Workspace } from '../../operations/index.ts';
import type { CommandDefinition, Invocation, Outcome } from '../command.ts';
import { errorDetails, indent } from '../errors.ts';
import { describeCost } from '../estimate-text.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { bad, counted, doubtful, good, oneLine, shortId } from '../text.ts';

export const backup: CommandDefinition = {
  name: 'backup',
  arguments: '[source...]',
  summary: 'back up sources now',
  description:
    'Backs up the sources of these names, or all, side by side. One that fails does not stop the others. Then the mirrors of the repositories are brought up to date; one that cannot be is named, and the exit code is 3. What cannot be read in a source is named, the rest of it is kept, and the backup is partial. Others on this machine go first where its processors do not suffice for all.',
  options: [
    {
      flags: '--group <name>',
      description:
        'the sources of this group of the plan, all of them begun together: a restore of the group prefers them',
    },
    {
      flags: '--only <pattern...>',
      description:
        'only a part, in the patterns that `restore --only` takes; it is kept like any other backup, but is no recovery point of the source: restore it by its snapshot',
    },
    {
      flags: '--read-all',
      description:
        'read all files and objects again, also those whose size, times and inode, or version, say that they did not change',
    },
    {
      flags: '--estimate',
      description: 'only say what the backup would read and cost, of sources whose reading is charged for',
    },
  ],
  examples: [
    { command: 'holdfast backup', does: 'back up everything' },
    { command: 'holdfast backup omni-db uploads', does: 'back up these two' },
    { command: 'holdfast backup --group omni', does: 'back up what belongs together, at nearly the same moment' },
    {
      command: 'holdfast backup uploads --only "/srv/uploads/2026/*.pdf"',
      does: 'keep some of the files as they are now',
    },
    { command: 'holdfast backup uploads --read-all', does: 'also find what changed without its times' },
    { command: 'holdfast backup crm --estimate', does: 'say what a backup would read and cost' },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  isMirrored: true,
  async run({ arguments: [names], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    if (options['estimate'] === true) return estimate(operations, await workspace(), names, options);
    // Its process goes behind others at once; the session does so a little later, and no backup waits for that.
    const lowered = awaitedLater(letOthersGoFirst());
    const outcome = await backUp(operations, await workspace(), names, options);
    await lowered;
    return outcome;
  },
};

async function backUp(
  operations: typeof import('../../operations/index.ts'),
  workspace: Workspace,
  names: Invocation['arguments'][number],
  options: Invocation['options'],
): Promise<Outcome> {
  if (options['group'] !== undefined) return backupGroup(operations, workspace, names, options);
  const outcomes = await operations.backup(workspace, (names ?? []) as string[], {
    ...(options['only'] !== undefined && { only: options['only'] as string[] }),
    ...readingOf(options),
  });
  const json = { sources: outcomes.map(shownOutcome) };
  return { exit: operations.backupExit(outcomes), json, text: outcomes.map(describe).join('\n') };
}

function readingOf(options: Invocation['options']): { readAll?: boolean } {
  return options['readAll'] === true ? { readAll: true } : {};
}

const NOT_WITH_ESTIMATE = [
  { key: 'group', flag: '--group' },
  { key: 'only', flag: '--only' },
  { key: 'readAll', flag: '--read-all' },
];

async function estimate(
  operations: typeof import('../../operations/index.ts'),
  workspace: Workspace,
  names: Invocation['arguments'][number],
  options: Invocation['options'],
): Promise<Outcome> {
  const misplaced = NOT_WITH_ESTIMATE.find(({ key }) => options[key] !== undefined)?.flag;
  if (misplaced !== undefined) {
    throw new HoldfastError('bad-usage', `--estimate is of whole sources by their names, and takes no ${misplaced}`, {
      hint: `Leave \`${misplaced}\` out, and name the sources.`,
    });
  }
  return estimated(await operations.estimateBackups(workspace, (names ?? []) as string[]));
}

function estimated(estimates: EstimateOfSource[]): Outcome {
  const sources = estimates.map((each) =>
    each.outcome === 'failed' ? { ...each, error: { code: each.error.code, message: each.error.message } } : each,
  );
  const isFailed = estimates.some(({ outcome }) => outcome === 'failed');
  return {
    exit: isFailed ? EXIT.failed : EXIT.done,
    json: { sources },
    text: estimates.map(describeEstimate).join('\n'),
  };
}

function describeEstimate(estimate: EstimateOfSource): string {
  const { source } = estimate;
  if (estimate.outcome === 'free') return `${source}: nothing is charged for reading it`;
  if (estimate.outcome === 'failed') {
    return [
      oneLine`${bad('failed')}   ${source}: ${estimate.error.message}`,
      ...errorDetails(estimate.error).map(indent),
    ].join('\n');
  }
  return describeCost(source, estimate);
}

async function backupGroup(
  operations: typeof import('../../operations/index.ts'),
  workspace: Workspace,
  names: Invocation['arguments'][number],
  options: Invocation['options'],
): Promise<Outcome> {
  if ((names ?? []).length > 0 || options['only'] !== undefined) {
    throw new HoldfastError('bad-usage', '--group backs up whole sources, and takes neither their names nor --only', {
      hint: 'Give the name of a group of the plan alone.',
    });
  }
  const captured = await operations.backupGroup(workspace, options['group'] as string, readingOf(options));
  const { group, sources, spreadMs } = captured;
  const back = sources.filter(({ outcome }) => outcome !== 'failed').length;
  const together = `${group}: ${counted(back, 'source')} of ${sources.length}, ${formatDuration(spreadMs)} from the first moment to the last`;
  return {
    exit: operations.backupExit(sources),
    json: { ...captured, sources: sources.map(shownOutcome) },
    text: [...sources.map(describe), together].join('\n'),
  };
}

function shownOutcome(outcome: SourceOutcome): unknown {
  return 'problems' in outcome ? { ...outcome, problems: outcome.problems.map(shownProblem) } : outcome;
}

function shownProblem({ item, error }: { item: string; error: { code: string; message: string } }): unknown {
  return { item, code: error.code, message: error.message };
}

/** As many problems are listed; the manifest has all. */
const LISTED_PROBLEMS = 20;

function describe(outcome: SourceOutcome): string {
  if (outcome.outcome === 'failed') {
    const { error } = outcome;
    return [oneLine`${bad('failed')}   ${outcome.source}: ${error.message}`, ...errorDetails(error).map(indent)].join(
      '\n',
    );
  }
  const { source, snapshot, bytesProcessed, bytesStored, durationMs, notes, problems, suspect } = outcome;
  const figures = `${formatSize(bytesProcessed)} in ${formatDuration(durationMs)}, ${formatSize(bytesStored)} new in the repository`;
  const line = `${outcome.outcome === 'complete' ? good('complete') : doubtful('partial ')} ${source}: snapshot ${shortId(snapshot)}, ${figures}`;
  const marked = suspect === undefined ? [] : [`  ${bad('suspect')} ${suspect}`];
  const listed = problems.slice(0, LISTED_PROBLEMS).map(({ item, error }) => oneLine`  ${item}: ${error.message}`);
  if (problems.length > listed.length) listed.push(`  and ${counted(problems.length - listed.length, 'more problem')}`);
  return [line, ...marked, ...notes.map((note) => oneLine`  ${note}`), ...listed].join('\n');
}
