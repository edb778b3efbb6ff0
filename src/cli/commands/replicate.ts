import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import { formatSize } from '../../foundation/units.ts';
import type { Missing } from '../../operations/index.ts';
import { describeArchive } from '../archive-text.ts';
import type { CommandDefinition, Invocation } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { describeMirror } from '../mirror-text.ts';
import { counted, doubtful, good, oneLine, shortId } from '../text.ts';

/** As many objects that are no snapshots are listed. */
const LISTED_OBJECTS = 20;

export const replicate: CommandDefinition = {
  name: 'replicate',
  arguments: '[repository...]',
  summary: 'bring mirrors up to date, and copy to archives what is due',
  description:
    'Brings the mirrors of these repositories, or these mirrors, or all, up to date: exact copies, in an order that makes each of them a whole repository at every instant. It also happens by itself after every command that changes a repository. What was copied is not copied again, so that one that was interrupted goes on where it was. What is gone from a repository goes from its mirrors only when the ledger says that it was to be removed; anything else that is gone is an error, and the mirror keeps it. With --accept-missing a person says of what is missing now that it was meant to go, as after `restic forget` and `restic prune`: that is recorded with who and why, and the mirror lets it go. Where it is more than a quarter of the mirror, or no snapshot is left, --confirm takes the name of the mirror. Then the newest complete snapshot of each source is copied to the archives where the schedule of the plan has made that due; to an archive that is named itself, in any case. Run it as often as the shortest of these schedules.',
  options: [
    { flags: '--accept-missing', description: 'let one mirror lose what its primary has lost without a record' },
    { flags: '--why <text>', description: 'with --accept-missing: who removed it, and for what' },
    { flags: '--confirm <name>', description: 'with --accept-missing: the name of the mirror, where much is gone' },
    { flags: '--dry-run', description: 'with --accept-missing: list what would go, and change nothing' },
  ],
  examples: [
    { command: 'holdfast replicate', does: 'every mirror of the plan, and every archive that is due' },
    { command: 'holdfast replicate eu', does: 'this mirror, or the mirrors and archives of this repository' },
    { command: 'holdfast replicate archive', does: 'a copy to this archive now' },
    {
      command: 'holdfast replicate eu --accept-missing --dry-run',
      does: 'what has the primary lost, and when was it of?',
    },
    {
      command: 'holdfast replicate eu --accept-missing --why "restic forget by Ann"',
      does: 'it was meant to go, in the mirror, too',
    },
  ],
  exits: [...LOCKING_EXITS, EXIT.partial],
  writes: true,
  async run({ arguments: [given], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const names = (given ?? []) as string[];
    const request = acceptance(names, options);
    const at = await workspace();
    const missing = request && (await operations.acceptMissing(at, request));
    if (missing !== undefined && request?.dryRun) {
      return { exit: EXIT.done, json: { missing }, text: describeMissing(missing) };
    }
    const replicated = await operations.replicateAll(at, names);
    const { mirrors, archives } = replicated;
    const lines = [...mirrors.map(describeMirror), ...archives.map(describeArchive)];
    const text = [...(missing ? [describeMissing(missing)] : []), ...lines].join('\n');
    const exit = operations.replicateAllExit(replicated);
    return { exit, json: { ...replicated, ...(missing && { missing }) }, text };
  },
};

/** @throws bad-usage */
function acceptance(names: readonly string[], options: Invocation['options']) {
  const [why, confirm] = [options['why'], options['confirm']] as (string | undefined)[];
  const dryRun = options['dryRun'] === true;
  const [mirror] = names;
  if (options['acceptMissing'] !== true) {
    if (why === undefined && confirm === undefined && !dryRun) return undefined;
    throw new HoldfastError('bad-usage', '--why, --confirm and --dry-run belong to --accept-missing');
  }
  if (mirror === undefined || names.length > 1) {
    throw new HoldfastError('bad-usage', '--accept-missing takes the name of one mirror');
  }
  return { mirror, dryRun, ...(why !== undefined && { why }), ...(confirm !== undefined && { confirm }) };
}

function describeMissing({ repository, mirror, objects, bytes, snapshots, ...rest }: Missing): string {
  if (objects.length === 0) return `${good('nothing')} is missing in ${repository} that ${mirror} has`;
  const what = oneLine`${counted(objects.length, 'object')} that ${repository} has lost, ${formatSize(bytes)} in ${mirror}, ${counted(snapshots.length, 'snapshot')} among them`;
  const others = objects.filter((key) => !key.startsWith('snapshots/'));
  const more = others.length - LISTED_OBJECTS;
  const needed = rest.needsConfirmation && !rest.accepted ? [`  it takes --confirm ${mirror}`] : [];
  return [
    oneLine`${rest.accepted ? good('accepted') : doubtful('missing')} ${what}`,
    ...snapshots.map(
      ({ id, time, paths, tags }) => oneLine`  snapshot ${shortId(id)} ${time} ${[...paths, ...tags].join(' ')}`,
    ),
    ...others.slice(0, LISTED_OBJECTS).map((key) => oneLine`  ${key}`),
    ...(more > 0 ? [oneLine`  and ${counted(more, 'more object')}; --json has all`] : []),
    ...needed,
  ].join('\n');
}
