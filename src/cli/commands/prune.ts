import { EXIT } from '../../foundation/errors.ts';
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { PruneOfRepository } from '../../operations/index.ts';
import type { CommandDefinition } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { failureLines, GOES_ON, RESTS } from '../failure-text.ts';
import { counted, doubtful, good, oneLine } from '../text.ts';

export const prune: CommandDefinition = {
  name: 'prune',
  arguments: '[repository...]',
  summary: 'free the space of what no snapshot needs any more',
  description: `Removes the packs of these repositories, or of all, that no snapshot needs, and copies what is used of others until no more than 5% of what stays is unused. Of an archive whose content must be asked for, only packs go of which nothing is used. It runs beside backups: packs are marked first, and removed once everybody who began before is done; if somebody still is at work, the next prune removes them. Where objects are locked, packs that their lock holds are counted and stay until it has run out, and old versions of what is never locked are removed. It may be cut off at any instant; the next one goes on. ${GOES_ON} ${RESTS}`,
  options: [{ flags: '--dry-run', description: 'only say what would be freed' }],
  examples: [
    { command: 'holdfast retain && holdfast prune', does: 'remove old snapshots, then what only they held' },
    { command: 'holdfast prune primary --dry-run', does: 'what one repository would give back' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  isMirrored: true,
  async run({ arguments: [names], options, workspace }) {
    const operations = await import('../../operations/index.ts');
    const dryRun = options['dryRun'] === true;
    const { repositories, failures } = await operations.prune(await workspace(), (names ?? []) as string[], { dryRun });
    return {
      exit: failures.length === 0 ? EXIT.done : EXIT.failed,
      json: { dryRun, repositories, failures },
      text: [...repositories.map((report) => describe(report, dryRun)), ...failureLines(failures)].join('\n'),
    };
  },
};

function describe(report: PruneOfRepository, dryRun: boolean): string {
  const {
    repository,
    packs,
    bytes,
    marked,
    held,
    clearedVersions,
    swept,
    foldedObjects,
    leftUnusedBytes,
    lackingBytes,
    waitingFor,
    durationMs,
  } = report;
  const copied = marked.copiedBytes > 0 ? `, after copying ${formatSize(marked.copiedBytes)} that is used` : '';
  const lines = [`${repository}: ${counted(packs, 'pack')}, ${formatSize(bytes)}`];
  if (report.markedBefore > 0) lines.push(`  marked before: ${counted(report.markedBefore, 'pack')}`);
  if (dryRun) {
    lines.push(`  to remove: ${counted(marked.packs, 'pack')}, ${formatSize(marked.bytes)}${copied}`);
  } else {
    lines.push(`  marked: ${counted(marked.packs, 'pack')}, ${formatSize(marked.bytes)}${copied}`);
    const removed = `${counted(swept.packs, 'pack')}, ${formatSize(swept.bytes)}, in ${formatDuration(durationMs)}`;
    lines.push(`  ${good('removed')}: ${removed}`);
  }
  if (held.packs > 0) {
    lines.push(`  held: ${counted(held.packs, 'pack')}, ${formatSize(held.bytes)}, until their lock has run out`);
  }
  if (foldedObjects > 0) lines.push(oneLine`  ledger: ${counted(foldedObjects, 'object')} put together by day`);
  if (clearedVersions > 0) lines.push(`  cleared: ${counted(clearedVersions, 'old version')} that nobody needs`);
  if (swept.rescued > 0) lines.push(`  kept after all: ${counted(swept.rescued, 'pack')} that a new snapshot needs`);
  if (leftUnusedBytes > 0)
    lines.push(
      lackingBytes === undefined
        ? `  ${formatSize(leftUnusedBytes)} stay unused in packs that are not worth copying`
        : `  ${doubtful('no room')} to copy what is used of packs: ${formatSize(leftUnusedBytes)} stay unused until the disk has ${formatSize(lackingBytes)} more, and it is pruned again`,
    );
  if (waitingFor !== undefined) {
    lines.push(oneLine`  ${doubtful('waiting')}: ${waitingFor}; the next prune removes what is marked`);
  }
  return lines.join('\n');
}
