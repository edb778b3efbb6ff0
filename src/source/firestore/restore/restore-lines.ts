import { HoldfastError } from '../../../foundation/errors.ts';
import { notesOf, type SnapshotReader } from '../../../repository/index.ts';
import { MANIFEST_DIRECTORY, type RestoreContext, type Restored } from '../../index.ts';

/** Writes the files of lines themselves to a directory that is empty or made. @throws bad-usage; as `SnapshotReader.extract` */
export async function restoreLines(
  reader: SnapshotReader,
  directory: string,
  context: RestoreContext,
): Promise<Restored> {
  if (context.selection !== undefined) {
    throw new HoldfastError('bad-usage', 'a part of the documents is restored to a database only', {
      hint: 'Give `--to firestore://PROJECT/DATABASE`, or leave `--only` out.',
    });
  }
  const extracted = await reader.extract(directory, { ...context, leaveOut: [`/${MANIFEST_DIRECTORY}`] });
  const { bytes, files, directories, others, problems, surplus } = extracted;
  const items = files + directories + others;
  const note =
    'the documents as lines of JSON: into a database they come by a restore to firestore://PROJECT/DATABASE; what the lines are: docs/firestore-restore.md';
  return { bytes, items, notes: [note, ...notesOf(extracted)], problems, ...(surplus && { surplus }) };
}
