import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CraftedHeader, tarFile, tarHeader } from '../../../../test/support/tar.ts';
import { readTarHeader, type TarEntry } from './tar-header.ts';
import { TarReader } from './tar-reader.ts';

async function read(pieces: Buffer[]): Promise<{ path: string; type: TarEntry['type']; content: string }[]> {
  const entries: { path: string; type: TarEntry['type']; content: string }[] = [];
  const reader = new TarReader({
    begin: async ({ path, type }) => void entries.push({ path, type, content: '' }),
    content: async (bytes) => {
      entries.at(-1)!.content += bytes.toString('latin1');
    },
    end: async () => {},
  });
  for (const piece of pieces) await reader.take(piece);
  reader.finish();
  return entries;
}

describe('a tar archive', () => {
  const archive = Buffer.concat([
    tarFile('backup_label', Buffer.from('START WAL')),
    tarHeader({ name: './pg_wal/archive_status/', type: '5' }),
    tarHeader({ name: 'pg_tblspc/16384', type: '2', link: '/srv/fast' }),
    tarFile('base/1/1259', Buffer.alloc(1024, 'p')),
    tarFile('empty', Buffer.alloc(0)),
  ]);
  const entries = [
    { path: 'backup_label', type: 'file', content: 'START WAL' },
    { path: 'pg_wal/archive_status', type: 'directory', content: '' },
    { path: 'pg_tblspc/16384', type: 'symlink', content: '' },
    { path: 'base/1/1259', type: 'file', content: 'p'.repeat(1024) },
    { path: 'empty', type: 'file', content: '' },
  ];

  it('is read whole, with and without an end, however it is cut into pieces', async () => {
    for (const bytes of [archive, Buffer.concat([archive, Buffer.alloc(1024)])]) {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1 }), async (lengths) => {
          const pieces: Buffer[] = [];
          for (let at = 0, index = 0; at < bytes.length; index++) {
            const length = lengths[index % lengths.length]!;
            pieces.push(bytes.subarray(at, at + length));
            at += length;
          }
          expect(await read(pieces)).toEqual(entries);
        }),
        { numRuns: 50 },
      );
    }
  });

  it('is refused when it ends early, or goes on behind its end', async () => {
    for (const end of [100, 515, 1030, archive.length - 100]) {
      await expect(read([archive.subarray(0, end)])).rejects.toMatchObject({ code: 'archive-damaged' });
    }
    await expect(read([archive, Buffer.alloc(512), archive])).rejects.toMatchObject({ code: 'archive-damaged' });
  });

  it('has sizes of 8 GB and more in base 256', () => {
    const size = Buffer.alloc(12);
    size[0] = 0x80;
    size.writeBigUInt64BE(10n * 1024n ** 3n, 4);
    expect(readTarHeader(tarHeader({ name: 'base/1/2', size }))).toMatchObject({
      sizeBytes: 10 * 1024 ** 3,
      mode: 0o600,
    });
  });

  it.each<[string, CraftedHeader]>([
    ['an absolute path', { name: '/etc/passwd' }],
    ['a path that leads out', { name: 'base/../../x' }],
    ['a path that is a dot', { name: './.' }],
    ['no path', { name: '' }],
    ['an empty part', { name: 'base//1' }],
    ['a device', { name: 'x', type: '3' }],
    ['a hard link', { name: 'x', type: '1', link: 'y' }],
    ['a size that is no number', { name: 'x', size: '99999999999' }],
    ['a size that no file has', { name: 'x', size: Buffer.from([0x80, ...Array(11).fill(0xff)]) }],
    ['a negative size', { name: 'x', size: Buffer.alloc(12, 0xff) }],
    ['a directory with content', { name: 'x', type: '5', size: '00000001000' }],
    ['another format', { name: 'x', magic: 'other' }],
  ])('is refused with %s', (_, crafted) => {
    expect(() => readTarHeader(tarHeader(crafted))).toThrow(expect.objectContaining({ code: 'archive-damaged' }));
  });

  it('is refused when a byte of a header is another', () => {
    const right = tarHeader({ name: 'base/1/1259' });
    for (const at of [0, 100, 130, 156, 160, 511]) {
      const wrong = Buffer.from(right);
      wrong[at]! ^= 1;
      expect(() => readTarHeader(wrong)).toThrow(expect.objectContaining({ code: 'archive-damaged' }));
    }
  });
});
