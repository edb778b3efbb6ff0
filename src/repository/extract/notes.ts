import type { Extracted } from '../snapshot-io.ts';

/** What a person should know of a restore to a directory. */
export function notesOf(extracted: Extracted): string[] {
  return [...progressNotes(extracted), ...lossNotes(extracted)];
}

function lossNotes({ lost, surplus }: Extracted): string[] {
  if (lost === 0) return [];
  const one = surplus === undefined ? '1 entry is' : '1 entry would be';
  const several = `${lost.toLocaleString('en')} entries ${surplus === undefined ? 'are' : 'would be'}`;
  return [
    `LOST: ${lost === 1 ? one : several} left out, since the repository no longer has what is needed`,
    '`holdfast check --repair` puts back what a mirror has; a restore with `--replace` then brings the rest',
  ];
}

function progressNotes({ keptFiles, removedEntries, surplus }: Extracted): string[] {
  if (surplus !== undefined) return [];
  const kept = `${keptFiles.toLocaleString('en')} ${keptFiles === 1 ? 'file was' : 'files were'} right already`;
  if (removedEntries === undefined) {
    if (keptFiles === 0) return [];
    return [`went on with a restore that was interrupted: ${kept}`];
  }
  const removed = `${removedEntries.toLocaleString('en')} ${removedEntries === 1 ? 'entry was' : 'entries were'} removed`;
  return [`replaced what was there: ${kept}, ${removed}`];
}
