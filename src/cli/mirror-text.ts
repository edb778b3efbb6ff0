import { formatDuration, formatSize } from '../foundation/units.ts';
import type { MirrorOutcome } from '../operations/index.ts';
import { errorDetails, indent } from './errors.ts';
import { bad, counted, good, oneLine } from './text.ts';

/** What came of bringing a mirror up to date, for people. */
export function describeMirror(outcome: MirrorOutcome): string {
  const { repository, mirror, durationMs } = outcome;
  if (outcome.outcome === 'failed') {
    const { error } = outcome;
    const line = oneLine`${bad('failed')}   mirror ${mirror} of ${repository}: ${error.message}`;
    return [line, ...errorDetails(error).map(indent)].join('\n');
  }
  const { copiedObjects, copiedBytes, removedObjects, heldObjects, keptObjects } = outcome;
  const removed = removedObjects === 0 ? '' : oneLine`, ${counted(removedObjects, 'object')} removed`;
  const held = heldObjects === 0 ? '' : oneLine`, ${counted(heldObjects, 'object')} held by their lock`;
  const kept =
    keptObjects === 0
      ? ''
      : oneLine`, ${counted(keptObjects, 'object')} of what ${repository} removed or replaced kept: the credentials may not`;
  const copied = oneLine`${counted(copiedObjects, 'object')} copied, ${formatSize(copiedBytes)}${removed}${held}${kept}`;
  return `${good('mirrored')} ${repository} to ${mirror}: ${copied} in ${formatDuration(durationMs)}`;
}
