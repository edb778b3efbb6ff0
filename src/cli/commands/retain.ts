import { EXIT } from '../../foundation/errors.ts';
import type { DecidedSnapshot, KeepReason, RetentionOfSource } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { failureLines, GOES_ON, RESTS } from '../failure-text.ts';
import { bad, counted, doubtful, faint, good, oneLine, shortId, shownTime, table } from '../text.ts';

export const retain: CommandDefinition = {
  name: 'retain',
  arguments: '[source...]',
  summary: 'remove the snapshots that the retention of the plan does not keep',
  description: `Says for each snapshot of the sources of these names, or of all, which rule of the plan keeps it, and removes those that none does. The newest complete snapshot and the newest proven one stay whatever the rules say, and a partial one takes no place of a complete one. A source without retention keeps everything. An archive keeps of each source what its own retention says, whatever that of the source is. What holds a part of a log stays as long as a backup that stays may need it, and with \`within\` so does the backup that the first of these moments goes on from. A snapshot that its lock holds is left until that has run out. What only the removed ones held takes its space until \`holdfast prune\`. ${GOES_ON} ${RESTS}`,
  options: [{ flags: '--dry-run', description: 'only say what would be kept and removed, and why' }],
  examples: [
    { command: 'holdfast retain --dry-run', does: 'what would go, and why the rest stays' },
    { command: 'holdfast retain omni-db', does: 'apply the retention of one source' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [names], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const dryRun = options['dryRun'] === true;
    const { sources, failures } = await operations.retain(await workspace(), (names ?? []) as string[], { dryRun });
    return {
      exit: failures.length === 0 ? EXIT.done : EXIT.failed,
      json: { dryRun, sources: sources.map(asJson), failures },
      text: [...sources.map((each) => describe(each, dryRun)), ...failureLines(failures)].join('\n\n'),
    };
  },
};

function asJson({ source, repository, snapshots, held }: RetentionOfSource): unknown {
  const listed = (each: DecidedSnapshot): object => ({ snapshot: each.snapshot.id, time: each.snapshot.time });
  return {
    source,
    repository,
    keep: snapshots.filter(stays).map((each) => ({ ...listed(each), reasons: each.reasons })),
    remove: snapshots.filter((each) => !stays(each)).map(listed),
    held,
  };
}

function stays({ reasons }: DecidedSnapshot): boolean {
  return reasons.length > 0;
}

function describe({ source, repository, isArchive, snapshots, held }: RetentionOfSource, dryRun: boolean): string {
  const going = snapshots.filter((each) => !stays(each)).length;
  const verb = dryRun ? 'to remove' : 'removed';
  const until = new Map(held.map((each) => [each.snapshot, each.until]));
  const left = held.length === 0 ? '' : `, ${held.length} held by their lock`;
  const where = isArchive ? `${source} in ${repository}` : source;
  const heading = oneLine`${where}: ${counted(snapshots.length - going, 'snapshot')} kept, ${going - held.length} ${verb}${left}`;
  if (snapshots.length === 0) return heading;
  const rows = snapshots.map((each) => [
    stays(each) ? good('keep') : until.has(each.snapshot.id) ? doubtful('held') : bad('remove'),
    shortId(each.snapshot.id),
    shownTime(each.snapshot.time),
    stays(each) ? each.reasons.map(reasonText).join(', ') : faint(goingText(until.get(each.snapshot.id))),
  ]);
  return [heading, table([['', 'id', 'time', 'why'], ...rows])].join('\n');
}

function goingText(until: string | undefined): string {
  return until === undefined ? 'no rule keeps it' : `no rule keeps it; locked until ${shownTime(until)}`;
}

const WORDS: Readonly<Record<string, string>> = {
  future: 'later than now',
  'newest-complete': 'the newest complete one',
  'newest-proven': 'the newest proven one',
  log: 'a backup that stays may need this part of the log',
  'log-begin': 'the log of the time to be kept goes on from it',
  held: 'somebody holds it:',
  'latest-clean': 'the newest from before what is suspect',
  'no-retention': 'the plan has no retention for it',
};

/** `daily 2026-01-31`, `within (since 2026-01-01 00:00:00Z)`, `tag keep-me`, `the newest proven one` … */
function reasonText(reason: KeepReason): string {
  const parts = [WORDS[reason.rule] ?? reason.rule];
  if ('tag' in reason) return oneLine`tag ${reason.tag}`;
  if ('period' in reason) parts.push(String(reason.period));
  if ('since' in reason) parts.push(oneLine`(since ${shownTime(String(reason.since))})`);
  if ('why' in reason) parts.push(String(reason.why));
  if ('oldest' in reason) parts.push('(the oldest)');
  return parts.join(' ');
}
