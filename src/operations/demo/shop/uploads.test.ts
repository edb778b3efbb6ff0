import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compareFingerprints, fingerprintDirectory } from './fingerprint.ts';
import { writeUploads } from './uploads.ts';

describe('the uploads', () => {
  const directory = mkdtempSync(join(tmpdir(), 'u-'));
  let uploads = { files: 0, bytes: 0 };

  beforeAll(async () => {
    uploads = await writeUploads(join(directory, 'one'));
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  it('are about 400 files and 40 MB, with every sort of name', async () => {
    const { files, bytes, things } = await fingerprintDirectory(join(directory, 'one'));
    expect({ files, bytes }).toEqual(uploads);
    expect(files).toBeGreaterThan(390);
    expect(bytes / 1e6).toBeGreaterThan(38);
    expect(bytes / 1e6).toBeLessThan(43);
    const names = [...things.keys()].join('\n');
    for (const sort of ['two\\nlines', '\\"best sellers\\"', "'others'", 'Grüße aus Köln', 'customers of 2025 (']) {
      expect(names).toContain(sort);
    }
    if (process.platform !== 'darwin')
      expect(names).toContain(`bytes:${Buffer.from('Gr\xfc\xdfe.txt', 'latin1').toString('hex')}`);
    const values = [...things.values()].join('\n');
    expect(values).toMatch(/file of 0 bytes/);
    expect(values).toMatch(/link to 0007\/front\.jpg/);
    expect(values).toMatch(/mode 755/);
    expect(things.get('pictures/cover.jpg')).toMatch(/the same as pictures\/0001\/front\.jpg,/);
  });

  it('are the same on every run', async () => {
    await writeUploads(join(directory, 'again'));
    const [one, again] = await Promise.all(['one', 'again'].map((name) => fingerprintDirectory(join(directory, name))));
    expect(compareFingerprints(one!, again!)).toEqual([]);
  });

  it('are never written over what is there', async () => {
    await expect(writeUploads(join(directory, 'one'))).rejects.toThrow(/EEXIST/);
  });
});

describe('the fingerprint of a directory', () => {
  let directory = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'f-'));
    writeFileSync(join(directory, 'a'), 'contents');
    writeFileSync(join(directory, 'b'), 'contents');
    linkSync(join(directory, 'b'), join(directory, 'c'));
    symlinkSync('a', join(directory, 'link'));
    mkdirSync(join(directory, 'sub'));
    writeFileSync(join(directory, 'sub', 'file'), '');
    settle();
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  /** Times are changed by whatever else is: they are set, so that only the change itself is seen. */
  function settle(): void {
    spawnSync('find', [directory, '-exec', 'touch', '--no-dereference', '--date=@1000000000', '{}', '+']);
  }

  function replace(path: string, put: () => void): void {
    rmSync(path);
    put();
  }

  const CHANGES: [string, (at: (name: string) => string) => void, string[]][] = [
    ['one byte', (at) => writeFileSync(at('a'), 'contentz'), ['a']],
    ['one byte more', (at) => writeFileSync(at('a'), 'contents!'), ['a']],
    ['a mode', (at) => chmodSync(at('a'), 0o600), ['a']],
    ['the mode of a directory', (at) => chmodSync(at('sub'), 0o700), ['sub']],
    ['the target of a link', (at) => replace(at('link'), () => symlinkSync('b', at('link'))), ['link']],
    ['a file instead of a link', (at) => replace(at('link'), () => copyFileSync(at('a'), at('link'))), ['link']],
    ['a copy instead of a hard link', (at) => replace(at('c'), () => copyFileSync(at('b'), at('c'))), ['c']],
    ['a missing file', (at) => rmSync(at('sub/file')), ['sub/file']],
    ['a new file', (at) => writeFileSync(at('sub/new'), ''), ['sub/new']],
    ['another name', (at) => renameSync(at('sub/file'), at('sub/File')), ['sub/File', 'sub/file']],
    ['a missing directory', (at) => rmSync(at('sub'), { recursive: true }), ['sub', 'sub/file']],
  ];

  it.each(CHANGES)('shows %s', async (_, change, expected) => {
    const before = await fingerprintDirectory(directory);
    change((name) => join(directory, name));
    settle();
    const differences = compareFingerprints(before, await fingerprintDirectory(directory));
    expect(differences.map(({ name }) => name)).toEqual(expected);
  });

  it('shows a time that differs by less than a microsecond', async () => {
    const touch = (date: string) => spawnSync('touch', [`--date=@${date}`, join(directory, 'a')]);
    touch('1000000000.123456700');
    const before = await fingerprintDirectory(directory);
    touch('1000000000.123456701');
    const differences = compareFingerprints(before, await fingerprintDirectory(directory));
    expect(differences.map(({ name }) => name)).toEqual(['a']);
    expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('contents');
  });

  it('shows nothing where nothing changed', async () => {
    const before = await fingerprintDirectory(directory);
    expect(compareFingerprints(before, await fingerprintDirectory(directory))).toEqual([]);
  });
});
