/**
 * The table of contents of a PostgreSQL archive in directory format: the file `toc.dat`.
 *
 * Source of the format: PostgreSQL's `pg_backup_archiver.c` (header and entries) and `pg_backup_directory.c` (the file
 * name at the end of each entry). It is written by `pg_dump` and read by `pg_restore`; nothing else documents it.
 *
 * Texts are held as bytes: they are in the database's encoding, which need not be UTF-8.
 */
export interface ArchiveToc {
  /** Of the format: 1.14 (PostgreSQL 14 and 15), 1.15 (16), 1.16 (17 and 18). */
  version: { major: number; minor: number; revision: number };
  /** Bytes of a file offset, which a directory archive does not contain. */
  offsetBytes: number;
  /** The level up to 1.14, the algorithm from 1.15 on; 0 is none in both. */
  compression: number;
  /** Second, minute, hour, day, month, year, daylight saving: as C's `struct tm` has them. */
  createdAt: readonly number[];
  databaseName: Buffer | null;
  serverVersion: Buffer | null;
  dumpVersion: Buffer | null;
  entries: TocEntry[];
}

export interface TocEntry {
  dumpId: number;
  /** 1 for an entry with data, else 0. */
  hadDumper: number;
  /** Object ids of the catalogue table and of the object in it, as decimal texts. */
  tableOid: Buffer | null;
  oid: Buffer | null;
  /** What the entry is called: a table's name, for example. */
  tag: Buffer | null;
  /** What the entry is: `TABLE`, `TABLE DATA`, `CONSTRAINT` … */
  description: Buffer | null;
  section: number;
  definition: Buffer | null;
  dropStatement: Buffer | null;
  copyStatement: Buffer | null;
  namespace: Buffer | null;
  tablespace: Buffer | null;
  tableAccessMethod: Buffer | null;
  /** A letter's code; from 1.16 on, 0 before. */
  relationKind: number;
  owner: Buffer | null;
  withOids: Buffer | null;
  /** Dump ids as decimal texts. For TABLE DATA, the first must be the TABLE. */
  dependencies: Buffer[];
  /** The file in the archive's directory that holds the data; empty for none. */
  fileName: Buffer | null;
}

/** The file of an archive in directory format that is its table of contents. */
export const TOC_FILE = 'toc.dat';

/** When an entry is restored. */
export const SECTION = { none: 1, preData: 2, data: 3, postData: 4 } as const;

export const MAGIC = 'PGDMP';
/** What the header of `toc.dat` says in a directory archive: the code of the tar format, which this file is shared with. */
export const FORMAT_OF_TOC_FILE = 3;
/** The only size of an integer that PostgreSQL has ever written. */
export const INTEGER_BYTES = 4;
export const CREATED_AT_FIELDS = 7;
/** From this minor version on, the header names the compression's algorithm. */
export const MINOR_WITH_ALGORITHM = 15;
/** From this minor version on, an entry has its relation's kind. */
export const MINOR_WITH_RELATION_KIND = 16;
/** The versions whose layout is known. */
export const KNOWN_MINORS = { oldest: 14, newest: 16 };

/** A text of an entry, for comparison and for people. */
export function textOf(bytes: Buffer | null): string {
  return bytes === null ? '' : bytes.toString('utf8');
}

/** `1.14`: the archive's version as people write it. */
export function archiveVersion({ version }: ArchiveToc): string {
  return `${version.major}.${version.minor}`;
}
