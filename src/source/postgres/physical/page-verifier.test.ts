import { describe, expect, it } from 'vitest';
import { cutBytesFor } from './cut.ts';
import { parseLsn } from './lsn.ts';
import { pageChecksum } from './page-checksum.ts';
import { PageVerifier } from './page-verifier.ts';
import { relationSegment } from './relation-file.ts';

const FORMAT = { pageBytes: 8192, pagesPerSegment: 131_072 };
const START = parseLsn('1/80000000');

/** A page with this position in the log, and its checksum. */
function page(block: number, lsn: string): Buffer {
  const words = new Int32Array(2048).map((_, index) => Math.imul(index + block, 2_654_435_761));
  const bytes = Buffer.from(words.buffer);
  const { high, low } = parseLsn(lsn);
  bytes.writeUInt32LE(high, 0);
  bytes.writeUInt32LE(low, 4);
  bytes.writeUInt16LE(0, 8);
  bytes.writeUInt16LE(8000, 14);
  bytes.writeUInt16LE(pageChecksum(words, block), 8);
  return bytes;
}

function brokenIn(bytes: Buffer, segment = 0, pieceBytes = 5000): number[] {
  const verifier = new PageVerifier(FORMAT, segment, START);
  for (let at = 0; at < bytes.length; at += pieceBytes) verifier.take(bytes.subarray(at, at + pieceBytes));
  return verifier.brokenBlocks;
}

describe('pages', () => {
  it('are sound with their checksum, which knows where they are', () => {
    const pages = Buffer.concat([page(0, '0/5'), Buffer.alloc(8192), page(2, '1/7FFFFFFF')]);
    expect(brokenIn(pages)).toEqual([]);
    expect(brokenIn(Buffer.concat([page(1, '0/5'), page(0, '0/5')]))).toEqual([0, 1]);
    expect(brokenIn(page(2 * 131_072, '0/5'), 2)).toEqual([]);
  });

  it('are broken when any byte is another', () => {
    for (const at of [8, 20, 4096, 8191]) {
      const bytes = page(0, '0/5');
      bytes[at]! ^= 0x10;
      expect(brokenIn(bytes)).toEqual([0]);
    }
    const nearlyNew = Buffer.alloc(8192);
    nearlyNew[8000] = 1;
    expect(brokenIn(nearlyNew)).toEqual([0]);
  });

  it('are left to the log when they are newer than the backup', () => {
    const written = ['1/80000000', '1/80000001', '2/0'].map((lsn) => page(7, lsn));
    expect(brokenIn(Buffer.concat(written))).toEqual([]);
    written[2]![4096]! ^= 1;
    expect(brokenIn(Buffer.concat(written))).toEqual([]);
  });

  it('are broken when they claim to be newer than anything that the backup can have seen', () => {
    const bytes = Buffer.alloc(8192, 0xa5);
    expect(brokenIn(bytes)).toEqual([0]);
  });
});

describe('a file of a relation', () => {
  it.each([
    ['base/5/1259', 0],
    ['base/5/16384.3', 3],
    ['base/5/16384_vm', 0],
    ['base/5/16384_fsm.1', 1],
    ['global/1262', 0],
    ['pg_tblspc/16999/PG_15_202209061/5/17000.12', 12],
    ['base/5/PG_VERSION', undefined],
    ['base/5/pg_filenode.map', undefined],
    ['global/pg_control', undefined],
    ['pg_xact/0000', undefined],
    ['pg_wal/000000010000000000000001', undefined],
  ])('%s has the segment %s', (path, segment) => {
    expect(relationSegment(path)).toBe(segment);
  });
});

describe('where files of relations are cut', () => {
  const GB = 1024 ** 3;
  it.each([
    [0, undefined, 64],
    [64 * GB, undefined, 64],
    [65 * GB, undefined, 128],
    [129 * GB, undefined, 256],
    [100_000 * GB, undefined, 1024],
    [60 * GB, 128 * 1024, 128],
    [300 * GB, 128 * 1024, 512],
    [1, 999_999_999, 64],
  ])('of %d bytes, after %s: %d KiB', (clusterBytes, previous, kib) => {
    expect(cutBytesFor(clusterBytes, previous)).toBe(kib * 1024);
  });
});
