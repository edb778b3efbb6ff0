import { HoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { SnapshotWriter, StoredFile } from '../../repository/index.ts';
import { END_OF_ROWS } from './archive/add-table-data.ts';
import { copyOut } from './copy-out.ts';
import type { TableDetails } from './details.ts';
import { RowDigest } from './row-digest.ts';
import type { Session } from './session.ts';
import { lockAtOnce, type SourceTable } from './snapshot.ts';

/** A table's rows, in the repository. */
export interface CapturedTable extends SourceTable {
  fileName: string;
  stored: StoredFile;
  counted: Pick<TableDetails, 'rows' | 'bytes' | 'digest'>;
}

/** A table with the name that its file gets. */
export type NamedTable = SourceTable & { fileName: string };

/**
 * Takes tables from a common queue until it is empty, and stores each one's rows as a file of the archive.
 * Several of these run at a time, each with a connection of its own.
 * @param passed gets the tables that this session cannot have, because somebody waits to lock them: only the session
 *   that has them locked already can read them. Without, the session is that one.
 */
export async function captureTables(
  session: Session,
  queue: NamedTable[],
  passed: NamedTable[] | undefined,
  encoding: string,
  writer: SnapshotWriter,
  progress: Progress,
): Promise<CapturedTable[]> {
  const captured: CapturedTable[] = [];
  for (let table = queue.shift(); table !== undefined; table = queue.shift()) {
    if (passed !== undefined && !(await lockAtOnce(session, table))) {
      passed.push(table);
      continue;
    }
    captured.push(await captureTable(session, table, encoding, writer, progress));
    progress.advance({ items: 1 });
  }
  return captured;
}

async function captureTable(
  session: Session,
  table: NamedTable,
  encoding: string,
  writer: SnapshotWriter,
  progress: Progress,
): Promise<CapturedTable> {
  const stream = await writer.openFile();
  try {
    const digest = new RowDigest();
    const rows = await copyOut(session, `read table ${table.qualified}`, copyOutStatement(table, encoding), (bytes) => {
      const written = stream.write(bytes);
      digest.update(bytes);
      progress.advance({ bytes: bytes.length });
      return written;
    });
    const counted = countedOf(digest, table, rows);
    await stream.write(END_OF_ROWS);
    return { ...table, stored: await stream.end(), counted };
  } catch (error) {
    stream.abort();
    throw error;
  }
}

/** The statement that reads all rows of exactly this table, in the database's encoding whatever the session's is. */
export function copyOutStatement(table: Pick<SourceTable, 'qualified' | 'columnList'>, encoding: string): string {
  return `COPY ${table.qualified} ${table.columnList} TO STDOUT WITH (ENCODING '${encoding}')`;
}

/** @throws source-lost when the server counted other rows than came in */
export function countedOf(
  digest: RowDigest,
  { qualified }: Pick<SourceTable, 'qualified'>,
  rows: number,
): CapturedTable['counted'] {
  if (digest.rows !== rows || !digest.atRowEnd) {
    throw new HoldfastError('source-lost', `table ${qualified} did not arrive whole`, {
      hint: 'Run the backup again.',
      retryable: true,
      context: { table: qualified, rowsSent: rows, rowsReceived: digest.rows },
    });
  }
  return { rows, bytes: digest.bytes, digest: digest.digest() };
}
