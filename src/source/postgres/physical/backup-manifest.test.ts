import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CRC32C_START, crc32cText, updateCrc32c } from '../../../foundation/crc32c.ts';
import { changeBackupManifest, checkBackupManifest, type StoredContent } from './backup-manifest.ts';

/** As PostgreSQL 15 writes it. */
function manifest(files: Record<string, unknown>[]): string {
  const lines = files.map((file) => JSON.stringify(file)).join(',\n');
  const range = '{ "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000100" }';
  const body = `{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n${lines}\n],\n"WAL-Ranges": [\n${range}\n],\n`;
  const digest = createHash('sha256').update(body).digest('hex');
  return `${body}"Manifest-Checksum": "${digest}"}\n`;
}

const file = (path: string, size: number, crc: string) => ({
  Path: path,
  Size: size,
  'Last-Modified': '2026-01-01 00:00:00 GMT',
  'Checksum-Algorithm': 'CRC32C',
  Checksum: crc,
});

const FILES = [file('backup_label', 9, '01020304'), file('base/1/1259', 8192, 'a1b2c3d4')];
const STORED = new Map<string, StoredContent>([
  ['backup_label', { sizeBytes: 9, crc32c: '01020304' }],
  ['base/1/1259', { sizeBytes: 8192, crc32c: 'a1b2c3d4' }],
  ['pg_wal/000000010000000000000003', { sizeBytes: 1 << 24, crc32c: '00000000' }],
]);

describe("the server's manifest", () => {
  it('agrees with what was stored', () => {
    checkBackupManifest(manifest(FILES), STORED);
    const encoded = { ...FILES[0]!, Path: undefined, 'Encoded-Path': Buffer.from('backup_label').toString('hex') };
    checkBackupManifest(manifest([encoded, FILES[1]!]), STORED);
  });

  it.each([
    [
      'a file that did not come',
      manifest([...FILES, file('base/1/1260', 1, 'ffffffff')]),
      /base\/1\/1260, which did not/,
    ],
    ['a file that it does not name', manifest(FILES.slice(0, 1)), /does not name base\/1\/1259/],
    ['one file twice for another', manifest([FILES[0]!, FILES[0]!]), /does not name base\/1\/1259/],
    ['another size', manifest([FILES[0]!, file('base/1/1259', 16_384, 'a1b2c3d4')]), /should have 16384 bytes/],
    ['another checksum', manifest([FILES[0]!, file('base/1/1259', 8192, 'a1b2c3d5')]), /another checksum/],
    ['an altered line', manifest(FILES).replace('8192', '8193'), /its own checksum is wrong/],
    ['no end', manifest(FILES).slice(0, -2), /its own checksum is wrong/],
  ])('is refused with %s', (_, text, reason) => {
    expect(() => checkBackupManifest(text, STORED)).toThrow(
      expect.objectContaining({ code: 'archive-damaged', message: expect.stringMatching(reason) }),
    );
  });

  it('takes files that are added, and agrees with itself afterwards', () => {
    const added = { path: 'pg_hba.conf', sizeBytes: 5, crc32c: '0a0b0c0d', modifiedSeconds: 1_767_225_600 };
    const text = changeBackupManifest(manifest(FILES), [added], new Set());
    expect(JSON.parse(text).Files[0]).toEqual(file('pg_hba.conf', 5, '0a0b0c0d'));
    checkBackupManifest(text, new Map([...STORED, ['pg_hba.conf', added]]));
    expect(changeBackupManifest(text, [], new Set())).toBe(text);
  });

  it('loses files that are left out, and agrees with itself afterwards', () => {
    const sent = manifest([file('standby.signal', 0, '00000000'), ...FILES]);
    const text = changeBackupManifest(sent, [], new Set(['standby.signal']));
    expect(text).toBe(manifest(FILES));
    checkBackupManifest(text, STORED);
  });
});

describe('CRC-32C', () => {
  it('is what the standard says, in pieces of any length', () => {
    expect(crc32cText(updateCrc32c(CRC32C_START, Buffer.from('123456789')))).toBe('839206e3');
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * 31) % 256));
    const whole = updateCrc32c(CRC32C_START, bytes);
    for (const at of [0, 1, 7, 8, 9, 500, 999]) {
      expect(updateCrc32c(updateCrc32c(CRC32C_START, bytes.subarray(0, at)), bytes.subarray(at))).toBe(whole);
    }
  });
});
