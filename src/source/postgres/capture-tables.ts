import { HoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import type { SnapshotWriter, StoredFile } from '../../repository/index.ts';
import { END_OF_ROWS } from './archive/add-table-data.ts';
import { copyOut } from './copy-out.ts';
import type { TableDetails } from './details.ts';
import { RowDigest } from './row-digest.ts';
import type { Session } from './session.ts';
import { lockAtOnce, type SourceTable } from './snapshot.ts';
import { type CapturedPart, joinParts, partStatement, type TablePart } from './table-parts.ts';

/** A table's rows, in the repository. */
export interface CapturedTable extends SourceTable {
  fileName: string;
  stored: StoredFile;
  counted: Pick<TableDetails, 'rows' | 'bytes' | 'digest'>;
}

/** A range of blocks is to be read as one, in the order that its rows lie in: not by several processes of the server. */
const RANGE_SETTINGS =
  'SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off';

/**
 * Takes tables, or parts of them, from a common queue until it is empty, and stores the rows of each. Several of these run
 * at a time, each with a connection of its own.
 * @param passed gets the tables that this session cannot have, because somebody waits to lock them: only the session
 *   that has them locked already can read them. Without, the session is that one.
 */
export async function captureParts(
  session: Session,
  queue: TablePart[],
  passed: TablePart[] | undefined,
  encoding: string,
  writer: SnapshotWriter,
  progress: Progress,
): Promise<CapturedPart[]> {
  const captured: CapturedPart[] = [];
  if (queue.length > 0) await session.query('set how ranges are read', RANGE_SETTINGS);
  for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
    if (passed !== undefined && !(await lockAtOnce(session, part.table))) {
      passed.push(part);
      continue;
    }
    captured.push(await capturePart(session, part, encoding, writer, progress));
    if (part.isLast) progress.advance({ items: 1 });
  }
  return captured;
}

/** The last part ends the table's file. */
async function capturePart(
  session: Session,
  part: TablePart,
  encoding: string,
  writer: SnapshotWriter,
  progress: Progress,
): Promise<CapturedPart> {
  const { table } = part;
  const stream = await writer.openFile();
  try {
    const digest = new RowDigest();
    const rows = await copyOut(session, `read table ${table.qualified}`, partStatement(part, encoding), (bytes) => {
      const written = stream.write(bytes);
      digest.update(bytes);
      progress.advance({ bytes: bytes.length });
      return written;
    });
    countedOf(digest, table, rows);
    if (part.isLast) await stream.write(END_OF_ROWS);
    return { part, stored: await stream.end(), digest };
  } catch (error) {
    stream.abort();
    throw error;
  }
}

/** The tables that these are all the parts of. */
export function capturedTables(parts: readonly CapturedPart[]): CapturedTable[] {
  return joinParts(parts).map(({ table, stored, digest }) => ({
    ...table,
    stored,
    counted: countedOf(digest, table, digest.rows),
  }));
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
