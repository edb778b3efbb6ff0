import type { IndexFile } from './index-file.ts';

/**
 * An index file as typed arrays: 44 bytes a blob, where objects and strings take some 400. Indexes of millions of blobs are
 * read so.
 */
export interface IndexColumns {
  /** The packs as they are listed, each with the place of its first blob; those up to the next pack's first are its own. */
  packs: { id: string; first: number }[];
  /** The ids of the blobs, 32 bytes each. */
  ids: Uint8Array<ArrayBuffer>;
  /** The other numbers of the blobs, `FIELDS` each: see `FIELD`. */
  fields: Uint32Array<ArrayBuffer>;
  /** How many blobs there are: the arrays may be longer. */
  count: number;
}

export const ID_BYTES = 32;
export const FIELDS = 3;
/** The places of a blob's numbers, which are bytes: the length has `TREE_BIT` for a tree, a plain length of 0 is not given. */
export const FIELD = { offset: 0, length: 1, plainLength: 2 } as const;
export const TREE_BIT = 0x8000_0000;

/** What the shortest of blobs takes, and the comma after it. */
const SHORTEST_BLOB_BYTES = '{"id":"","type":"data","offset":0,"length":0},'.length + 2 * ID_BYTES;

/** What the longest takes at most, and also the beginning of a pack. */
const LONGEST_BLOB_BYTES = 192;

/** Whether the first blob is a tree: of one pack, each of which holds blobs of one type, whether it is one of trees. */
export function beginsWithTree({ fields, count }: IndexColumns): boolean {
  return count > 0 && fields[FIELD.length]! >= TREE_BIT;
}

/** The columns of an index file that was decoded. */
export function columnsOf({ packs }: IndexFile): IndexColumns {
  const columns = emptyColumns(packs.reduce((sum, { blobs }) => sum + blobs.length, 0));
  for (const { id, blobs } of packs) {
    columns.packs.push({ id, first: columns.count });
    for (const blob of blobs) {
      columns.ids.set(Buffer.from(blob.id, 'hex'), columns.count * ID_BYTES);
      setFields(columns, blob.type === 'tree', blob.offset, blob.length, blob.uncompressedLength ?? 0);
    }
  }
  return columns;
}

/**
 * Reads the JSON text of an index file as restic, rustic and Holdfast write it: without spaces, its fields in that order. It
 * makes nothing but the columns, in a fraction of the time that a JSON parser takes.
 * @param used columns that are not needed any more, to be used again where they are long enough
 * @returns undefined for whatever is written in another way, which need not be wrong: `decodeIndexFile` tells
 */
export function scanIndexFile(json: Uint8Array, used?: IndexColumns): IndexColumns | undefined {
  const capacity = Math.ceil(json.length / SHORTEST_BLOB_BYTES);
  const columns =
    used !== undefined && used.ids.length >= capacity * ID_BYTES
      ? { ...used, packs: [], count: 0 }
      : emptyColumns(capacity);
  const scanner = new Scanner(json);
  const isRead =
    scanner.skip(TEXT.begin) &&
    (!scanner.skip(TEXT.supersedes) || scanSuperseded(scanner)) &&
    scanner.skip(TEXT.packs) &&
    scanList(scanner, () => scanPack(scanner, columns)) &&
    scanner.skip(TEXT.end) &&
    scanner.isAtEnd;
  return isRead ? columns : undefined;
}

/**
 * The JSON text of an index file that lists all of these: what `scanIndexFile` reads, and `stringifyExactJson` makes of what
 * `encodeIndexFile` gives, in a tenth of its memory.
 */
export function indexText(listings: readonly IndexColumns[]): Buffer {
  const text = new TextBuffer(
    listings.reduce((sum, { packs, count }) => sum + packs.length + count, 1) * LONGEST_BLOB_BYTES,
  );
  text.add('{"packs":[');
  let isFirst = true;
  for (const listing of listings) {
    for (const [index, { id, first }] of listing.packs.entries()) {
      text.add(`${isFirst ? '' : ','}{"id":"${id}","blobs":[`);
      isFirst = false;
      const end = listing.packs[index + 1]?.first ?? listing.count;
      for (let blob = first; blob < end; blob++) addBlob(text, listing, blob, blob > first);
      text.add(']}');
    }
  }
  text.add(']}');
  return text.bytes;
}

function addBlob(text: TextBuffer, { ids, fields }: IndexColumns, blob: number, isAfterAnother: boolean): void {
  const length = fields[blob * FIELDS + FIELD.length]!;
  const plainLength = fields[blob * FIELDS + FIELD.plainLength]!;
  text.add(isAfterAnother ? ',{"id":"' : '{"id":"');
  text.addHex(ids.subarray(blob * ID_BYTES, (blob + 1) * ID_BYTES));
  text.add(
    `","type":"${length >= TREE_BIT ? 'tree' : 'data'}","offset":${fields[blob * FIELDS + FIELD.offset]!},` +
      `"length":${length % TREE_BIT}${plainLength === 0 ? '' : `,"uncompressed_length":${plainLength}`}}`,
  );
}

/** ASCII text in memory of its own, which is large enough. */
class TextBuffer {
  readonly #buffer: Buffer;
  #length = 0;

  constructor(mostBytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(mostBytes);
  }

  add(text: string): void {
    this.#length += this.#buffer.write(text, this.#length, 'latin1');
  }

  addHex(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.#buffer[this.#length++] = HEX[byte >> 4]!;
      this.#buffer[this.#length++] = HEX[byte & 15]!;
    }
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

const HEX = Buffer.from('0123456789abcdef');

const TEXT = {
  begin: Buffer.from('{'),
  supersedes: Buffer.from('"supersedes":['),
  afterSuperseded: Buffer.from(','),
  packs: Buffer.from('"packs":['),
  end: Buffer.from('}'),
  quote: Buffer.from('"'),
  comma: Buffer.from(','),
  endOfList: Buffer.from(']'),
  pack: Buffer.from('{"id":"'),
  blobs: Buffer.from('","blobs":['),
  blob: Buffer.from('{"id":"'),
  data: Buffer.from('","type":"data","offset":'),
  tree: Buffer.from('","type":"tree","offset":'),
  length: Buffer.from(',"length":'),
  plainLength: Buffer.from(',"uncompressed_length":'),
} as const satisfies Record<string, Uint8Array>;

function emptyColumns(capacity: number): IndexColumns {
  return { packs: [], ids: new Uint8Array(capacity * ID_BYTES), fields: new Uint32Array(capacity * FIELDS), count: 0 };
}

function setFields(columns: IndexColumns, isTree: boolean, offset: number, length: number, plainLength: number): void {
  const at = columns.count++ * FIELDS;
  columns.fields[at + FIELD.offset] = offset;
  columns.fields[at + FIELD.length] = isTree ? length + TREE_BIT : length;
  columns.fields[at + FIELD.plainLength] = plainLength;
}

/** What follows `[`, up to and with `]`. */
function scanList(scanner: Scanner, scanItem: () => boolean): boolean {
  if (scanner.skip(TEXT.endOfList)) return true;
  do {
    if (!scanItem()) return false;
  } while (scanner.skip(TEXT.comma));
  return scanner.skip(TEXT.endOfList);
}

/** The files that this one replaced are gone, or say the same: neither needs to be known. */
function scanSuperseded(scanner: Scanner): boolean {
  const id = new Uint8Array(ID_BYTES);
  const scanId = (): boolean => scanner.skip(TEXT.quote) && scanner.id(id, 0) && scanner.skip(TEXT.quote);
  return scanList(scanner, scanId) && scanner.skip(TEXT.afterSuperseded);
}

function scanPack(scanner: Scanner, columns: IndexColumns): boolean {
  const id = Buffer.alloc(ID_BYTES);
  if (!(scanner.skip(TEXT.pack) && scanner.id(id, 0) && scanner.skip(TEXT.blobs))) return false;
  columns.packs.push({ id: id.toString('hex'), first: columns.count });
  return scanList(scanner, () => scanBlob(scanner, columns)) && scanner.skip(TEXT.end);
}

function scanBlob(scanner: Scanner, columns: IndexColumns): boolean {
  if (!(scanner.skip(TEXT.blob) && scanner.id(columns.ids, columns.count * ID_BYTES))) return false;
  const isTree = scanner.skip(TEXT.tree);
  if (!isTree && !scanner.skip(TEXT.data)) return false;
  const offset = scanner.number();
  const length = scanner.skip(TEXT.length) ? scanner.number() : -1;
  const plainLength = scanner.skip(TEXT.plainLength) ? scanner.number() : 0;
  if (offset < 0 || length < 0 || length >= TREE_BIT || plainLength < 0) return false;
  setFields(columns, isTree, offset, length, plainLength);
  return scanner.skip(TEXT.end);
}

/** The value of a hexadecimal digit as restic writes it; 16 for anything else. */
const DIGITS = Uint8Array.from({ length: 256 }, (_, code) => {
  const value = HEX.indexOf(code);
  return value === -1 ? 16 : value;
});
const ZERO = 0x30;

/** Reads on in bytes, or stays where it is. */
class Scanner {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Passes over what must be there to the letter. @returns whether it was there */
  skip(text: Uint8Array): boolean {
    for (let index = 0; index < text.length; index++) if (this.#bytes[this.#at + index] !== text[index]) return false;
    this.#at += text.length;
    return true;
  }

  /** An id in hexadecimal digits. @returns whether it was one; if not, some of it may have been written */
  id(into: Uint8Array, position: number): boolean {
    const bytes = this.#bytes;
    if (this.#at + 2 * ID_BYTES > bytes.length) return false;
    let seen = 0;
    for (let index = 0, at = this.#at; index < ID_BYTES; index++, at += 2) {
      const high = DIGITS[bytes[at]!]!;
      const low = DIGITS[bytes[at + 1]!]!;
      seen |= high | low;
      into[position + index] = (high << 4) | low;
    }
    if (seen > 15) return false;
    this.#at += 2 * ID_BYTES;
    return true;
  }

  /** A whole number below 2^32, as JSON has it. @returns −1 where there is none */
  number(): number {
    const start = this.#at;
    let value = 0;
    for (;;) {
      const digit = this.#bytes[this.#at]! - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
      if (value >= 2 ** 32) return -1;
      this.#at++;
    }
    const hasLeadingZero = this.#bytes[start] === ZERO && this.#at - start > 1;
    return this.#at === start || hasLeadingZero ? -1 : value;
  }
}
