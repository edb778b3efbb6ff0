import { type ArchiveToc, SECTION, type TocEntry } from './toc.ts';

/** A table whose rows lie in a file of the archive that pg_dump did not write. */
export interface TableDataFile {
  /** The table's object id, which is how its TABLE entry is found. */
  oid: number;
  /** `COPY schema.table (columns) FROM stdin;` and a newline, in the database's encoding. */
  copyStatement: Buffer;
  fileName: string;
}

/** How a table's rows end in a file of the archive, as pg_dump writes it. */
export const END_OF_ROWS = Buffer.from('\\.\n\n\n', 'latin1');

/**
 * Adds the TABLE DATA entries for tables that pg_dump was told to leave out, where pg_dump puts its own: after
 * everything that makes tables, before sequences' values, large objects, indexes and constraints.
 *
 * `missing` are the tables that the archive has no definition of, so that their rows would have nowhere to go.
 */
export function addTableData<T extends TableDataFile>(
  toc: ArchiveToc,
  tables: readonly T[],
): { toc: ArchiveToc; missing: T[] } {
  const definitions = tableEntriesByOid(toc);
  let nextId = toc.entries.reduce((highest, { dumpId }) => Math.max(highest, dumpId), 0) + 1;
  const added: TocEntry[] = [];
  const missing: T[] = [];
  for (const table of tables) {
    const definition = definitions.get(table.oid);
    if (definition === undefined) missing.push(table);
    else added.push(tableDataEntry(definition, table, nextId++));
  }
  const place = toc.entries.findIndex(({ section }) => section === SECTION.data || section === SECTION.postData);
  const split = place === -1 ? toc.entries.length : place;
  const entries = [...toc.entries.slice(0, split), ...added, ...toc.entries.slice(split)];
  return { toc: { ...toc, entries }, missing };
}

/** The TABLE entries by the tables' object ids. */
function tableEntriesByOid(toc: ArchiveToc): Map<number, TocEntry> {
  const entries = toc.entries.filter(({ description }) => description?.toString('latin1') === 'TABLE');
  return new Map(entries.map((entry) => [Number(entry.oid?.toString('latin1')), entry]));
}

function tableDataEntry(definition: TocEntry, table: TableDataFile, dumpId: number): TocEntry {
  return {
    dumpId,
    hadDumper: 1,
    tableOid: Buffer.from('0'),
    oid: definition.oid,
    tag: definition.tag,
    description: Buffer.from('TABLE DATA'),
    section: SECTION.data,
    definition: null,
    dropStatement: null,
    copyStatement: table.copyStatement,
    namespace: definition.namespace,
    tablespace: null,
    tableAccessMethod: null,
    relationKind: 0,
    owner: definition.owner,
    withOids: Buffer.from('false'),
    dependencies: [Buffer.from(String(definition.dumpId))],
    fileName: Buffer.from(table.fileName),
  };
}
