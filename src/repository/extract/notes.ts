import type { Extracted } from '../snapshot-io.ts';

/** What a person should know of a restore to a directory. */
export function notesOf({ keptFiles }: Pick<Extracted, 'keptFiles'>): string[] {
  if (keptFiles === 0) return [];
  return [`went on with a restore that was interrupted: ${keptFiles.toLocaleString('en')} files were right already`];
}
