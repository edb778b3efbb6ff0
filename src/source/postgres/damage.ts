/** Rot in one byte of a cluster, for whoever wants to know that it is found. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { DamageContext, Damaged } from '../index.ts';
import { type Location, labelOf } from './location.ts';
import { Session } from './session.ts';
import { sqlFile } from './sql-files.ts';

/** Source: PostgreSQL's documentation, "Database Page Layout". */
const [PAGE_HEADER_BYTES, POINTER_BYTES, TUPLE_HEADER_LENGTH_AT] = [24, 4, 22];
const NORMAL = 1;
/** The one byte of an empty text: to change it would change where the next value begins. */
const EMPTY_TEXT = 0x03;

interface Row {
  table: string;
  path: string;
  block: number;
  /** From 1. */
  item: number;
  pageBytes: number;
  segmentPages: number;
}

/**
 * Changes a bit of the last value of a row, in the file of its table.
 * @returns undefined where no table has a row that could be
 */
export async function damageRow(
  location: Location,
  { signal, whileStopped }: DamageContext,
): Promise<Damaged | undefined> {
  const rows = await findRows(location, signal);
  let damaged: Row | undefined;
  await whileStopped(async (dataDirectory) => {
    for (const row of rows) {
      if (!(await changeIn(dataDirectory, row))) continue;
      damaged = row;
      return;
    }
  });
  return damaged && { what: `a bit of a row of ${damaged.table} in ${labelOf(location)}`, items: [damaged.table] };
}

async function findRows(location: Location, signal: AbortSignal): Promise<Row[]> {
  const session = await Session.open(location, { side: 'target', signal });
  try {
    const tables = await session.query('list tables that have rows', sqlFile('filled-tables'));
    const rows: Row[] = [];
    for (const { name, path, page_bytes: pageBytes, segment_pages: segmentPages } of tables) {
      const found = await session.query('find rows', `SELECT ctid::text AS ctid FROM ONLY ${name} LIMIT 10`);
      for (const { ctid } of found) {
        const [, block, item] = /^\((\d+),(\d+)\)$/.exec(ctid ?? '') ?? [];
        const where = { block: Number(block), item: Number(item) };
        rows.push({
          ...{ table: name!, path: path!, ...where },
          ...{ pageBytes: Number(pageBytes), segmentPages: Number(segmentPages) },
        });
      }
    }
    // What only the log has would be replayed over the change.
    await session.query('have the server write its files', 'CHECKPOINT');
    return rows;
  } finally {
    await session.close();
  }
}

/** @returns false where the row has no value that could be changed by itself */
async function changeIn(dataDirectory: string, row: Row): Promise<boolean> {
  const { path, block, item, pageBytes, segmentPages } = row;
  const segment = Math.floor(block / segmentPages);
  const file = await open(join(dataDirectory, segment === 0 ? path : `${path}.${segment}`), 'r+');
  try {
    const start = (block % segmentPages) * pageBytes;
    const page = Buffer.alloc(pageBytes);
    await file.read(page, 0, pageBytes, start);
    const at = lastByteOf(page, item);
    if (at === undefined) return false;
    await file.write(Uint8Array.of(page[at]! ^ 1), 0, 1, start + at);
    return true;
  } finally {
    await file.close();
  }
}

function lastByteOf(page: Buffer, item: number): number | undefined {
  const pointer = page.readUInt32LE(PAGE_HEADER_BYTES + POINTER_BYTES * (item - 1));
  const [offset, flags, length] = [pointer & 0x7fff, (pointer >>> 15) & 3, pointer >>> 17];
  const headerBytes = page[offset + TUPLE_HEADER_LENGTH_AT] ?? 0;
  const at = offset + length - 1;
  return flags === NORMAL && length > headerBytes && page[at] !== EMPTY_TEXT ? at : undefined;
}
