import { RdbDamage } from './damage.ts';

/**
 * The compact forms that small values have: all in one string, element behind element.
 * Source: what servers write; "Listpack specification", github.com/antirez/listpack.
 */

/** Takes elements in their order: text by its addresses, a whole number by its two words of 32 bits. */
export interface PackedSink {
  text(at: number, end: number): void;
  whole(low: number, high: number): void;
}

/** A part of a memory. */
export interface Packed {
  bytes: Uint8Array;
  view: DataView;
  at: number;
  end: number;
}

const LISTPACK_HEADER_BYTES = 6;
const ZIPLIST_HEADER_BYTES = 10;
const END = 255;
const UNCOUNTED = 65_535;

/** @returns how many elements it has @throws RdbDamage */
export function readListpack({ bytes, view, at, end }: Packed, sink: PackedSink): number {
  const last = end - 1;
  if (end - at <= LISTPACK_HEADER_BYTES || view.getUint32(at, true) !== end - at || bytes[last] !== END) {
    throw new RdbDamage('a listpack of another length than it says');
  }
  const announced = view.getUint16(at + 4, true);
  let count = 0;
  let position = at + LISTPACK_HEADER_BYTES;
  while (position < last) {
    const behind = listpackElement(bytes, view, position, last, sink);
    position = behind + backLength(bytes, behind, last, behind - position);
    count++;
  }
  if (position !== last) throw new RdbDamage('a listpack that ends in an element');
  if (announced !== UNCOUNTED && announced !== count)
    throw new RdbDamage('a listpack with other elements than it says');
  return count;
}

function listpackElement(bytes: Uint8Array, view: DataView, at: number, last: number, sink: PackedSink): number {
  const first = bytes[at]!;
  if (first < 0x80) {
    sink.whole(first, 0);
    return at + 1;
  }
  if (first < 0xc0) return text(at + 1, first & 0x3f, last, sink);
  if (at + 9 > last && at + headBytes(first) > last) throw new RdbDamage('a listpack that ends in an element');
  if (first < 0xe0) {
    const value = ((first & 0x1f) << 8) | bytes[at + 1]!;
    return whole(value >= 4096 ? value - 8192 : value, at + 2, sink);
  }
  if (first < 0xf0) return text(at + 2, ((first & 0x0f) << 8) | bytes[at + 1]!, last, sink);
  switch (first) {
    case 0xf0:
      return text(at + 5, view.getUint32(at + 1, true), last, sink);
    case 0xf1:
      return whole(view.getInt16(at + 1, true), at + 3, sink);
    case 0xf2:
      return whole(view.getUint16(at + 1, true) | (view.getInt8(at + 3) << 16), at + 4, sink);
    case 0xf3:
      return whole(view.getInt32(at + 1, true), at + 5, sink);
    case 0xf4:
      sink.whole(view.getInt32(at + 1, true), view.getInt32(at + 5, true));
      return at + 9;
    default:
      throw new RdbDamage('an element of no known kind in a listpack');
  }
}

function headBytes(first: number): number {
  if (first < 0xf0) return 2;
  return [5, 3, 4, 5, 9][first - 0xf0] ?? 1;
}

/** Behind each element stands its length, to be read backwards. @returns how many bytes that takes */
function backLength(bytes: Uint8Array, at: number, last: number, length: number): number {
  const size = length <= 127 ? 1 : length < 16_383 ? 2 : length < 2_097_151 ? 3 : length < 268_435_455 ? 4 : 5;
  if (at + size > last) throw new RdbDamage('a listpack that ends in an element');
  let value = 0;
  for (let index = size - 1, factor = 1; index >= 0; index--, factor *= 128) {
    const byte = bytes[at + index]!;
    value += (byte & 0x7f) * factor;
    if (byte >= 0x80 !== index > 0) throw new RdbDamage('an element of a listpack with another length behind it');
  }
  if (value !== length) throw new RdbDamage('an element of a listpack with another length behind it');
  return size;
}

/** @returns how many elements it has @throws RdbDamage */
export function readZiplist({ bytes, view, at, end }: Packed, sink: PackedSink): number {
  const last = end - 1;
  if (end - at <= ZIPLIST_HEADER_BYTES || view.getUint32(at, true) !== end - at || bytes[last] !== END) {
    throw new RdbDamage('a ziplist of another length than it says');
  }
  const tail = view.getUint32(at + 4, true);
  const announced = view.getUint16(at + 8, true);
  let count = 0;
  let before = 0;
  let start = at + ZIPLIST_HEADER_BYTES;
  for (let position = start; position < last; ) {
    start = position;
    const previous = bytes[position]!;
    const wide = previous === 254;
    if (wide && position + 5 > last) throw new RdbDamage('a ziplist that ends in an element');
    if ((wide ? view.getUint32(position + 1, true) : previous) !== before) {
      throw new RdbDamage('an element of a ziplist with another length before it');
    }
    position = ziplistElement(bytes, view, position + (wide ? 5 : 1), last, sink);
    before = position - start;
    count++;
    if (position > last) throw new RdbDamage('a ziplist that ends in an element');
  }
  if (tail !== start - at) throw new RdbDamage('a ziplist whose last element is elsewhere than it says');
  if (announced !== UNCOUNTED && announced !== count) throw new RdbDamage('a ziplist with other elements than it says');
  return count;
}

function ziplistElement(bytes: Uint8Array, view: DataView, at: number, last: number, sink: PackedSink): number {
  if (at >= last) throw new RdbDamage('a ziplist that ends in an element');
  const first = bytes[at]!;
  if (first < 0x40) return text(at + 1, first, last, sink);
  const size = first < 0x80 ? 2 : first < 0xc0 ? 5 : (ZIPLIST_NUMBER_BYTES.get(first) ?? 1);
  if (at + size > last) throw new RdbDamage('a ziplist that ends in an element');
  if (first < 0x80) return text(at + 2, ((first & 0x3f) << 8) | bytes[at + 1]!, last, sink);
  if (first === 0x80) return text(at + 5, view.getUint32(at + 1), last, sink);
  switch (first) {
    case 0xc0:
      return whole(view.getInt16(at + 1, true), at + 3, sink);
    case 0xd0:
      return whole(view.getInt32(at + 1, true), at + 5, sink);
    case 0xe0:
      sink.whole(view.getInt32(at + 1, true), view.getInt32(at + 5, true));
      return at + 9;
    case 0xf0:
      return whole(view.getUint16(at + 1, true) | (view.getInt8(at + 3) << 16), at + 4, sink);
    case 0xfe:
      return whole(view.getInt8(at + 1), at + 2, sink);
    default:
      if (first <= 0xf0 || first > 0xfd) throw new RdbDamage('an element of no known kind in a ziplist');
      return whole((first & 0x0f) - 1, at + 1, sink);
  }
}

const ZIPLIST_NUMBER_BYTES = new Map([
  [0xc0, 3],
  [0xd0, 5],
  [0xe0, 9],
  [0xf0, 4],
  [0xfe, 2],
]);

/** @returns how many elements it has @throws RdbDamage */
export function readIntset({ view, at, end }: Packed, sink: PackedSink): number {
  if (end - at < 8) throw new RdbDamage('a set of numbers without a head');
  const width = view.getUint32(at, true);
  const count = view.getUint32(at + 4, true);
  if (![2, 4, 8].includes(width) || count * width !== end - at - 8) {
    throw new RdbDamage('a set of numbers of another length than it says');
  }
  let before = -Infinity;
  for (let position = at + 8; position < end; position += width) {
    const low = width === 2 ? view.getInt16(position, true) : view.getInt32(position, true);
    const high = width === 8 ? view.getInt32(position + 4, true) : low >> 31;
    // Two numbers too large to be told apart here count as equal, and do no harm.
    const value = high * 2 ** 32 + (low >>> 0);
    if (value < before) throw new RdbDamage('a set of numbers out of order');
    before = value;
    sink.whole(low, high);
  }
  return count;
}

/** Fields and values of a hash as servers before 2.6 wrote it. @returns how many of both @throws RdbDamage */
export function readZipmap({ bytes, view, at, end }: Packed, sink: PackedSink): number {
  const last = end - 1;
  if (end - at < 2 || bytes[last] !== END) throw new RdbDamage('a zipmap without an end');
  let count = 0;
  for (let position = at + 1; position < last; count++) {
    const first = bytes[position]!;
    if (first === END || (first === 254 && position + 5 > last))
      throw new RdbDamage('a zipmap that ends in an element');
    const length = first === 254 ? view.getUint32(position + 1, true) : first;
    const free = count % 2 === 1 ? 1 : 0;
    const from = position + (first === 254 ? 5 : 1) + free;
    const unused = free === 1 ? (bytes[from - 1] ?? 0) : 0;
    position = text(from, length, last, sink) + unused;
    if (position > last) throw new RdbDamage('a zipmap that ends in an element');
  }
  if (count % 2 !== 0) throw new RdbDamage('a field without a value');
  const announced = bytes[at]!;
  if (announced < 254 && announced !== count / 2) throw new RdbDamage('a zipmap with other fields than it says');
  return count;
}

function text(at: number, length: number, last: number, sink: PackedSink): number {
  if (length > last - at) throw new RdbDamage('an element that is longer than what it is in');
  sink.text(at, at + length);
  return at + length;
}

function whole(value: number, behind: number, sink: PackedSink): number {
  sink.whole(value, value >> 31);
  return behind;
}
