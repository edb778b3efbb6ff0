import type { Extracted } from '../snapshot-io.ts';

/** What a person should know of a restore to a directory. */
export function notesOf({ keptFiles, removedEntries, surplus }: Extracted): string[] {
  if (surplus !== undefined) return [];
  const kept = `${keptFiles.toLocaleString('en')} ${keptFiles === 1 ? 'file was' : 'files were'} right already`;
  if (removedEntries === undefined) {
    if (keptFiles === 0) return [];
    return [`went on with a restore that was interrupted: ${kept}`];
  }
  const removed = `${removedEntries.toLocaleString('en')} ${removedEntries === 1 ? 'entry was' : 'entries were'} removed`;
  return [`replaced what was there: ${kept}, ${removed}`];
}
