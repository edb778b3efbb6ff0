import type { Extracted } from '../snapshot-io.ts';

/** What a person should know of a restore to a directory. */
export function notesOf({ keptFiles, removedEntries, surplus }: Extracted): string[] {
  if (surplus !== undefined) return [];
  const kept = keptFiles.toLocaleString('en');
  if (removedEntries === undefined) {
    if (keptFiles === 0) return [];
    return [`went on with a restore that was interrupted: ${kept} files were right already`];
  }
  const removed = removedEntries.toLocaleString('en');
  return [`replaced what was there: ${kept} files were right already, ${removed} entries were removed`];
}
