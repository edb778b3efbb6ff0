import {
  type ArchiveToc,
  FORMAT_OF_TOC_FILE,
  INTEGER_BYTES,
  MAGIC,
  MINOR_WITH_ALGORITHM,
  MINOR_WITH_RELATION_KIND,
  type TocEntry,
} from './toc.ts';

/** The bytes of a `toc.dat`: for what `readToc` gave, the very bytes that it read. */
export function writeToc(toc: ArchiveToc): Buffer {
  const { version } = toc;
  const parts: Buffer[] = [
    Buffer.from(MAGIC, 'latin1'),
    Buffer.of(version.major, version.minor, version.revision, INTEGER_BYTES, toc.offsetBytes, FORMAT_OF_TOC_FILE),
    version.minor >= MINOR_WITH_ALGORITHM ? Buffer.of(toc.compression) : integer(toc.compression),
    ...toc.createdAt.map(integer),
  ];
  pushText(parts, toc.databaseName);
  pushText(parts, toc.serverVersion);
  pushText(parts, toc.dumpVersion);
  parts.push(integer(toc.entries.length));
  for (const entry of toc.entries) pushEntry(parts, entry, version.minor);
  return Buffer.concat(parts);
}

function pushEntry(parts: Buffer[], entry: TocEntry, minor: number): void {
  parts.push(integer(entry.dumpId), integer(entry.hadDumper));
  for (const text of [entry.tableOid, entry.oid, entry.tag, entry.description]) pushText(parts, text);
  parts.push(integer(entry.section));
  for (const text of [
    entry.definition,
    entry.dropStatement,
    entry.copyStatement,
    entry.namespace,
    entry.tablespace,
    entry.tableAccessMethod,
  ]) {
    pushText(parts, text);
  }
  if (minor >= MINOR_WITH_RELATION_KIND) parts.push(integer(entry.relationKind));
  for (const text of [entry.owner, entry.withOids, ...entry.dependencies, null, entry.fileName]) pushText(parts, text);
}

function pushText(parts: Buffer[], text: Buffer | null): void {
  parts.push(integer(text === null ? -1 : text.length));
  if (text !== null) parts.push(text);
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(1 + INTEGER_BYTES);
  bytes[0] = value < 0 ? 1 : 0;
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}
