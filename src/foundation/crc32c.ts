/** The reversed polynomial of Castagnoli. */
const POLYNOMIAL = 0x82f63b78;
const TABLE = makeTable();

/** Eight tables of 256 numbers: the n-th says what a byte does that n more follow. */
function makeTable(): Int32Array {
  const table = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0);
    table[byte] = value;
  }
  for (let at = 256; at < table.length; at++) {
    const before = table[at - 256]!;
    table[at] = (before >>> 8) ^ table[before & 0xff]!;
  }
  return table;
}

/**
 * The CRC-32C of bytes that come in pieces: begin with `CRC32C_START`, pass each result on, and let `crc32cText` end it.
 * Eight bytes are taken at a time, by a table for each ("slicing by 8").
 */
export function updateCrc32c(crc: number, bytes: Uint8Array): number {
  const table = TABLE;
  const length = bytes.length;
  let value = crc;
  let at = 0;
  for (const end = length - 7; at < end; at += 8) {
    value ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    value =
      table[1792 + (value & 0xff)]! ^
      table[1536 + ((value >>> 8) & 0xff)]! ^
      table[1280 + ((value >>> 16) & 0xff)]! ^
      table[1024 + (value >>> 24)]! ^
      table[768 + bytes[at + 4]!]! ^
      table[512 + bytes[at + 5]!]! ^
      table[256 + bytes[at + 6]!]! ^
      table[bytes[at + 7]!]!;
  }
  for (; at < length; at++) value = (value >>> 8) ^ table[(value ^ bytes[at]!) & 0xff]!;
  return value;
}

export const CRC32C_START = -1;

/** As a backup manifest has it: the bytes in the order of a little-endian machine, in hexadecimal. */
export function crc32cText(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(~crc);
  return bytes.toString('hex');
}
