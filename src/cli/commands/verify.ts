import { EXIT, type ExitCode, HoldfastError } from '../../foundation/errors.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { Proof, VerificationOutcome, Verified, Workspace } from '../../operations/index.ts';
import { AS_OF } from '../as-of.ts';
import type { CommandDefinition, Invocation, Outcome } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { failureText } from '../failure-text.ts';
import { describeGroupProof } from '../group-text.ts';
import { RECALL_OPTIONS, recallOf } from '../recall-options.ts';
import { bad, counted, doubtful, good, oneLine, shortId, shownTime } from '../text.ts';

export const verify: CommandDefinition = {
  name: 'verify',
  arguments: '[source...]',
  summary: 'prove recovery points by restoring them into a sandbox',
  description:
    'Restores a recovery point of each source into a sandbox, compares what came back with what was captured, and runs the validations of the plan there. The living is not touched. What was found is recorded: proven, failed, or not provable on this machine. A source that cannot be tried, as one without a backup, stops no other, and makes the exit code 1.',
  options: [
    AS_OF,
    {
      flags: '--group <name>',
      description:
        'all sources of a group of the plan at one moment, in sandboxes that are there at the same time, with the checks of the group',
    },
    { flags: '--snapshot <id>', description: 'this snapshot (of one source)' },
    {
      flags: '--at <time>',
      description:
        'the newest backup not after this time; of a source with a log, the moment itself, or a position as in `restore --at`',
    },
    { flags: '--repository <name>', description: 'read from this repository, mirror or archive' },
    {
      flags: '--pick <which>',
      description:
        'latest (the default), or random: any backup, or of a source with a log any second that can be restored',
      choices: ['latest', 'random'],
    },
    {
      flags: '--sandbox <name>',
      description: 'prove in this sandbox of the plan what it can take (the only one that can, when left out)',
    },
    {
      flags: '--scheduled <name>',
      description: 'what the entry of this name in `verification` of the plan says, now, with nothing else beside it',
    },
    ...RECALL_OPTIONS,
  ],
  examples: [
    { command: 'holdfast verify', does: 'the newest recovery point of every source' },
    { command: 'holdfast verify omni-db --pick random', does: 'any of one source' },
    { command: 'holdfast verify --scheduled weekly', does: 'what `serve` does by the schedule of that entry, now' },
    { command: 'holdfast verify --group omni --at "1h ago"', does: 'what belongs together, as it was an hour ago' },
    { command: 'holdfast verify omni-db --at latest', does: 'the newest backup with all of the log behind it' },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial, EXIT.missed],
  writes: true,
  async run({ arguments: [names], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    if (options['scheduled'] !== undefined) return runScheduled(operations, await workspace(), names, options);
    if (options['group'] !== undefined) return verifyGroup(operations, await workspace(), names, options);
    const optional = (name: string): object => (options[name] === undefined ? {} : { [name]: options[name] });
    const request = {
      sources: (names ?? []) as string[],
      ...optional('snapshot'),
      ...optional('at'),
      ...optional('pick'),
      ...optional('sandbox'),
      ...optional('repository'),
      ...recallOf(options),
    };
    const verified = await operations.verify(await workspace(), request);
    const text = [
      ...verified.proofs.map(describe),
      ...verified.failures.map(({ source, error }) => failureText(source, error)),
    ].join('\n');
    return { exit: exitOf(verified), json: verified, text };
  },
};

async function verifyGroup(
  operations: typeof import('../../operations/index.ts'),
  workspace: Workspace,
  names: Invocation['arguments'][number],
  options: Invocation['options'],
): Promise<Outcome> {
  if ((names ?? []).length > 0 || options['snapshot'] !== undefined || options['pick'] !== undefined) {
    throw new HoldfastError('bad-usage', '--group takes neither sources, --snapshot nor --pick', {
      hint: 'Give the name of a group of the plan, and a moment with `--at`.',
    });
  }
  const optional = (name: string): object => (options[name] === undefined ? {} : { [name]: options[name] });
  const proof = await operations.verifyGroup(workspace, {
    group: options['group'] as string,
    ...{ ...optional('at'), ...optional('sandbox'), ...optional('repository'), ...recallOf(options) },
  });
  return { exit: proof.state === 'proven' ? EXIT.done : EXIT.missed, json: proof, text: describeGroupProof(proof) };
}

/** What goes with `--scheduled`: all else is said by the plan. */
const OF_ANY = ['scheduled', 'plan', 'json', 'progress'];

async function runScheduled(
  operations: typeof import('../../operations/index.ts'),
  workspace: Workspace,
  names: Invocation['arguments'][number],
  options: Invocation['options'],
): Promise<Outcome> {
  const others = Object.keys(options).filter((name) => options[name] !== undefined && !OF_ANY.includes(name));
  if ((names ?? []).length > 0 || others.length > 0) {
    throw new HoldfastError('bad-usage', '--scheduled takes neither sources nor other options', {
      hint: 'What is verified, and how, is what the entry of the plan says.',
    });
  }
  const { verifications } = workspace.plan;
  const entry = verifications.find(({ name }) => name === options['scheduled']);
  if (entry === undefined) {
    throw new HoldfastError('bad-usage', `the plan has no verification ${JSON.stringify(options['scheduled'])}`, {
      hint:
        verifications.length === 0
          ? 'Add one to `verification`.'
          : `It has ${verifications.map(({ name }) => name).join(', ')}.`,
    });
  }
  const { errors: _errors, ...result } = await operations.runVerification(workspace, entry);
  const lines = result.sources.map(describeVerified);
  const damaged = result.damaged.map((each) => oneLine`${bad('damaged')}  ${each}`);
  return { exit: EXITS_OF[result.outcome], json: result, text: [...lines, ...damaged].join('\n') };
}

const EXITS_OF: Record<VerificationOutcome['outcome'], ExitCode> = {
  done: EXIT.done,
  partial: EXIT.partial,
  missed: EXIT.missed,
  failed: EXIT.failed,
};

function describeVerified({
  source,
  state,
  snapshot,
  time,
  bytes,
  message,
}: VerificationOutcome['sources'][number]): string {
  const paint = state === 'proven' || state === 'checked' ? good : state === 'failed' ? bad : doubtful;
  const of =
    snapshot === undefined ? '' : ` of ${shownTime(time!)} (snapshot ${shortId(snapshot)}), ${formatSize(bytes)}`;
  return oneLine`${paint(state.replace('-', ' '))}  ${source}${of}${message === undefined ? '' : `: ${message}`}`;
}

/** A failure outweighs a proof that was missed: nothing is known of that source. */
function exitOf({ proofs, failures }: Verified): ExitCode {
  if (failures.length > 0) return EXIT.failed;
  return proofs.every(({ state }) => state === 'proven') ? EXIT.done : EXIT.missed;
}

const STATES: Record<Proof['state'], string> = {
  proven: 'proven',
  failed: 'failed',
  'not-provable': 'not provable here',
};

function describe(proof: Proof): string {
  const paint = proof.state === 'proven' ? good : proof.state === 'failed' ? bad : doubtful;
  const lines = [
    `${paint(STATES[proof.state])}  ${proof.source} of ${shownTime(proof.time)} (snapshot ${shortId(proof.snapshot)})`,
    `  ${formatSize(proof.bytes)} back in ${formatDuration(proof.restoreMs)}, validated in ${formatDuration(proof.validateMs)}, ${counted(proof.checksPassed, 'check')} passed`,
  ];
  if (proof.reason !== undefined) lines.push(oneLine`  ${proof.reason}`);
  for (const { name, result, detail } of proof.checks)
    if (result !== 'passed') lines.push(oneLine`  ${bad(result)} ${name}: ${detail}`);
  for (const { database, tables, rows } of proof.counts ?? [])
    lines.push(oneLine`  ${database}: ${counted(rows, 'row')} in ${counted(tables, 'table')}`);
  for (const note of proof.notes) lines.push(oneLine`  ${note}`);
  return lines.join('\n');
}
