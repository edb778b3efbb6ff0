import type { StoredFile } from '../../repository/index.ts';
import type { RowDigest } from './row-digest.ts';
import type { SourceTable } from './snapshot.ts';

/**
 * Large tables are read in ranges of their blocks, over several connections that read one moment, so that one large table
 * takes no longer than several small ones. The rows of the ranges, one after the other, are those of the table in the
 * order that they lie in.
 */

/** From 14 on a server goes to a range of blocks; before, it would read the whole table for each. */
const FIRST_WITH_RANGE_SCANS = 14;

/** About as much of a table, with what lies outside its rows, is read at a time; smaller tables are read whole. */
export const PART_BYTES = 128 * 1024 * 1024;

/** A table has no more parts than this: what is known of each is held until the table is complete. */
const MAX_PARTS = 1024;

/** A table with the name that its file gets. */
export type NamedTable = SourceTable & { fileName: string };

/** A table, or a range of its blocks. */
export interface TablePart {
  table: NamedTable;
  /** From 0 on, in the order of the rows. */
  index: number;
  isLast: boolean;
  /** The first block, and the one after the last, if there is one; the whole table, when left out. */
  blocks?: { from: number; to?: number };
}

/** A part's rows, in the repository. */
export interface CapturedPart {
  part: TablePart;
  stored: StoredFile;
  digest: RowDigest;
}

/** What there is to read of tables. */
export function partsOf(tables: readonly NamedTable[], majorVersion: number, partBytes: number): TablePart[] {
  return tables.flatMap((table) => {
    const step = majorVersion < FIRST_WITH_RANGE_SCANS ? Number.POSITIVE_INFINITY : blocksPerPart(table, partBytes);
    const count = Math.max(1, Math.ceil(table.blocks / step));
    if (count === 1) return [{ table, index: 0, isLast: true }];
    return Array.from({ length: count }, (_, index): TablePart => {
      const isLast = index === count - 1;
      return { table, index, isLast, blocks: { from: index * step, ...(!isLast && { to: (index + 1) * step }) } };
    });
  });
}

/**
 * A power of two, so that a table that grows is cut where it was cut before: what lies before the cut was stored already.
 */
function blocksPerPart({ blocks, sizeBytes, columns }: SourceTable, partBytes: number): number {
  if (blocks === 0 || sizeBytes <= partBytes || columns.length === 0) return Number.POSITIVE_INFINITY;
  const wanted = Math.floor(Math.log2((partBytes * blocks) / sizeBytes));
  const least = Math.ceil(Math.log2(blocks / MAX_PARTS));
  return 2 ** Math.max(0, wanted, least);
}

/** The statement that reads a part's rows, in the database's encoding whatever the session's is. */
export function partStatement({ table, blocks }: TablePart, encoding: string): string {
  if (blocks === undefined) return copyOutStatement(table, encoding);
  const columns = table.columnList.slice(1, -1);
  const end = blocks.to === undefined ? '' : ` AND ctid < '(${blocks.to},0)'`;
  const rows = `SELECT ${columns} FROM ONLY ${table.qualified} WHERE ctid >= '(${blocks.from},0)'${end}`;
  return `COPY (${rows}) TO STDOUT WITH (ENCODING '${encoding}')`;
}

/** The statement that reads all rows of exactly this table. */
export function copyOutStatement(table: Pick<SourceTable, 'qualified' | 'columnList'>, encoding: string): string {
  return `COPY ${table.qualified} ${table.columnList} TO STDOUT WITH (ENCODING '${encoding}')`;
}

/** Puts the parts of each table together, in whatever order they were read. */
export function joinParts(
  parts: readonly CapturedPart[],
): { table: NamedTable; stored: StoredFile; digest: RowDigest }[] {
  return [...Map.groupBy(parts, ({ part }) => part.table)].map(([table, own]) => {
    const [first, ...others] = own.sort((a, b) => a.part.index - b.part.index);
    const { digest } = first!;
    for (const other of others) digest.add(other.digest);
    const stored = {
      content: own.flatMap((each) => each.stored.content),
      sizeBytes: own.reduce((sum, each) => sum + each.stored.sizeBytes, 0),
    };
    return { table, stored, digest };
  });
}
