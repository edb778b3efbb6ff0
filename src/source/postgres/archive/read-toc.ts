import { HoldfastError } from '../../../foundation/errors.ts';
import {
  type ArchiveToc,
  CREATED_AT_FIELDS,
  FORMAT_OF_TOC_FILE,
  INTEGER_BYTES,
  KNOWN_MINORS,
  MAGIC,
  MINOR_WITH_ALGORITHM,
  MINOR_WITH_RELATION_KIND,
  type TocEntry,
} from './toc.ts';

/** An entry takes at least this many bytes, which bounds how many a file of a given size can have. */
const MINIMUM_ENTRY_BYTES = 40;

/**
 * Reads a `toc.dat`. Any bytes may be given: every length is held against what is left.
 * @throws archive-unsupported when it is of a version or kind that is not known; archive-damaged
 */
export function readToc(bytes: Buffer): ArchiveToc {
  const cursor = new Cursor(bytes);
  if (cursor.bytes(MAGIC.length).toString('latin1') !== MAGIC) throw damaged('does not begin as an archive', 0);
  const version = { major: cursor.byte(), minor: cursor.byte(), revision: cursor.byte() };
  if (version.major !== 1 || version.minor < KNOWN_MINORS.oldest || version.minor > KNOWN_MINORS.newest) {
    throw unsupported(`of version ${version.major}.${version.minor}`);
  }
  if (cursor.byte() !== INTEGER_BYTES) throw unsupported('with integers of another size than 4 bytes');
  const offsetBytes = cursor.byte();
  if (cursor.byte() !== FORMAT_OF_TOC_FILE) throw unsupported('of another format than directory');
  const compression = version.minor >= MINOR_WITH_ALGORITHM ? cursor.byte() : cursor.integer();
  const createdAt = Array.from({ length: CREATED_AT_FIELDS }, () => cursor.integer());
  const header = { version, offsetBytes, compression, createdAt };
  const names = { databaseName: cursor.text(), serverVersion: cursor.text(), dumpVersion: cursor.text() };
  const count = cursor.integer();
  if (count < 0 || count > cursor.remaining / MINIMUM_ENTRY_BYTES) {
    throw damaged(`cannot have ${count} entries`, cursor.position);
  }
  const entries = Array.from({ length: count }, () => readEntry(cursor, version.minor));
  if (cursor.remaining !== 0) throw damaged('goes on after its last entry', cursor.position);
  return { ...header, ...names, entries };
}

function readEntry(cursor: Cursor, minor: number): TocEntry {
  // The order of these calls is the order of the fields in the file.
  return {
    dumpId: cursor.integer(),
    hadDumper: cursor.integer(),
    tableOid: cursor.text(),
    oid: cursor.text(),
    tag: cursor.text(),
    description: cursor.text(),
    section: cursor.integer(),
    definition: cursor.text(),
    dropStatement: cursor.text(),
    copyStatement: cursor.text(),
    namespace: cursor.text(),
    tablespace: cursor.text(),
    tableAccessMethod: cursor.text(),
    relationKind: minor >= MINOR_WITH_RELATION_KIND ? cursor.integer() : 0,
    owner: cursor.text(),
    withOids: cursor.text(),
    dependencies: cursor.textsToNull(),
    fileName: cursor.text(),
  };
}

class Cursor {
  readonly #bytes: Buffer;
  position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.position;
  }

  bytes(count: number): Buffer {
    if (count > this.remaining) throw damaged('ends too early', this.position);
    this.position += count;
    return this.#bytes.subarray(this.position - count, this.position);
  }

  byte(): number {
    return this.bytes(1)[0]!;
  }

  /** A sign byte, then the magnitude, lowest byte first. */
  integer(): number {
    const sign = this.byte();
    const magnitude = this.bytes(INTEGER_BYTES).readUInt32LE();
    if (sign > 1 || (sign === 1 && magnitude === 0)) throw damaged('has an integer with a wrong sign', this.position);
    return sign === 0 ? magnitude : -magnitude;
  }

  /** A length and the bytes; the length -1 is no text at all. */
  text(): Buffer | null {
    const length = this.integer();
    if (length === -1) return null;
    if (length < 0) throw damaged('has a text of negative length', this.position);
    return this.bytes(length);
  }

  textsToNull(): Buffer[] {
    const texts: Buffer[] = [];
    for (let text = this.text(); text !== null; text = this.text()) texts.push(text);
    return texts;
  }
}

function damaged(what: string, position: number): HoldfastError {
  return new HoldfastError('archive-damaged', `the archive's toc.dat ${what}`, { context: { position } });
}

function unsupported(what: string): HoldfastError {
  const { oldest, newest } = KNOWN_MINORS;
  return new HoldfastError('archive-unsupported', `pg_dump's archive is ${what}, which is not known here`, {
    hint: `Use pg_dump of PostgreSQL 15 to 18, whose archives are of versions 1.${oldest} to 1.${newest}.`,
  });
}
