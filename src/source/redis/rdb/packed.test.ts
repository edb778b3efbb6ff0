import { describe, expect, it } from 'vitest';
import { RdbDamage } from './damage.ts';
import { readIntset, readListpack, readZiplist, readZipmap } from './packed.ts';

type Read = typeof readListpack;

/** What the elements are: texts, and numbers. */
function elements(read: Read, bytes: Buffer): (string | bigint)[] {
  const found: (string | bigint)[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = read(
    { bytes, view, at: 0, end: bytes.length },
    {
      text(at, end) {
        expect(end).toBeLessThan(bytes.length);
        found.push(bytes.toString('latin1', at, end));
      },
      whole: (low, high) => void found.push((BigInt(high) << 32n) | BigInt(low >>> 0)),
    },
  );
  expect(count).toBe(found.length);
  return found;
}

function listpack(count: number, ...body: number[]): Buffer {
  const bytes = Buffer.from([0, 0, 0, 0, count, 0, ...body, 255]);
  bytes.writeUInt32LE(bytes.length);
  return bytes;
}

/** @param last where its last element begins */
function ziplist(count: number, last: number, ...body: number[]): Buffer {
  const bytes = Buffer.from([0, 0, 0, 0, last, 0, 0, 0, count, 0, ...body, 255]);
  bytes.writeUInt32LE(bytes.length);
  return bytes;
}

const LISTPACK = listpack(5, 0x81, 0x61, 2, 7, 1, 0xdf, 0xff, 2, 0xf1, 0, 0x80, 3, 0xf4, ...Buffer.alloc(8, 0xfe), 9);
const ZIPLIST = ziplist(5, 22, 0, 1, 0x61, 3, 0xf3, 2, 0xfe, 0x85, 3, 0xc0, 0x01, 0x80, 4, 0xf0, 1, 0, 0x80);
const INTSET = Buffer.from([2, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 5, 0]);
const ZIPMAP = Buffer.from([1, 1, 0x66, 2, 1, 0x76, 0x77, 0, 255]);

describe('a value in a compact form', () => {
  it.each<[string, Read, Buffer, (string | bigint)[]]>([
    ['listpack', readListpack, LISTPACK, ['a', 7n, -1n, -32_768n, -0x101010101010102n]],
    ['ziplist', readZiplist, ZIPLIST, ['a', 2n, -123n, -32_767n, -8_388_607n]],
    ['intset', readIntset, INTSET, [-1n, 5n]],
    ['zipmap', readZipmap, ZIPMAP, ['f', 'vw']],
  ])('is read: %s', (_, read, bytes, expected) => {
    expect(elements(read, bytes)).toEqual(expected);
  });

  it.each<[string, Read, Buffer]>([
    ['a listpack with an element that is longer', readListpack, listpack(1, 0xf0, 0xff, 0xff, 0xff, 0x7f, 0x61, 6)],
    ['a listpack with a short one that is longer', readListpack, listpack(1, 0xbf, 0x61, 2)],
    ['a listpack with another length behind an element', readListpack, listpack(1, 0x81, 0x61, 3)],
    ['a listpack with fewer elements', readListpack, listpack(2, 0x81, 0x61, 2)],
    ['a listpack of another length', readListpack, Buffer.concat([LISTPACK, Buffer.of(255)])],
    ['a listpack with nothing in it', readListpack, Buffer.of(255)],
    ['a ziplist with an element that is longer', readZiplist, ziplist(1, 10, 0, 0x80, 0x7f, 0xff, 0xff, 0xff, 0x61)],
    ['a ziplist with another length before an element', readZiplist, ziplist(2, 13, 0, 1, 0x61, 4, 0xf3)],
    ['a ziplist whose last element is elsewhere', readZiplist, ziplist(1, 11, 0, 1, 0x61)],
    ['an intset with more than it says', readIntset, Buffer.concat([INTSET, Buffer.of(0, 0)])],
    ['an intset out of order', readIntset, Buffer.from([2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0xff, 0xff])],
    [
      'a zipmap with an element that is longer',
      readZipmap,
      Buffer.from([1, 1, 0x66, 254, 0xff, 0xff, 0xff, 0x7f, 0, 255]),
    ],
    ['a zipmap with a field alone', readZipmap, Buffer.from([1, 1, 0x66, 255])],
  ])('is refused: %s', (_, read, bytes) => {
    expect(() => elements(read, bytes)).toThrow(RdbDamage);
  });
});
