import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareFingerprints } from '../../src/operations/demo/shop/compare.ts';
import { fingerprintDirectory } from '../../src/operations/demo/shop/fingerprint.ts';
import { document, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';
import { requires } from '../support/requirements.ts';
import { initialiseWithRestic, restic, resticCheck } from '../support/restic.ts';

/** Everything that a tree of files may hold: contents, modes, times to the nanosecond, links, names of any bytes. */
function writeTree(directory: string): void {
  mkdirSync(join(directory, 'empty'), { recursive: true, mode: 0o711 });
  mkdirSync(join(directory, 'two words', 'deep'), { recursive: true });
  const files: [name: string | Buffer, content: string | Buffer][] = [
    ['plain.txt', 'plain'],
    ['nothing', ''],
    ['two words/new\nline "quoted" \\ back`tick`', 'odd'],
    ['two words/deep/ünïcödé ☃', 'snow'],
    [Buffer.from('bytes \xff\xfe\x01 none of them UTF-8', 'latin1'), 'bytes'],
    ['large', Buffer.alloc(9_000_000, 'all the same again and again, but not quite: ')],
    ['noise', Buffer.from(Array.from({ length: 1_500_000 }, (_, index) => (index * 2654435761) >>> 13))],
  ];
  const at = (name: string | Buffer): Buffer => Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name)]);
  for (const [index, [name, content]] of files.entries()) {
    writeFileSync(at(name), content);
    utimesSync(at(name), 1_500_000_000.123456 + index, 1_400_000_000.654321 + index);
  }
  truncateSync(at('large'), 50_000_000);
  chmodSync(at('plain.txt'), 0o4751);
  chmodSync(at('nothing'), 0o000);
  chmodSync(join(directory, 'two words'), 0o1777);
  linkSync(at('plain.txt'), at('two words/hard link'));
  symlinkSync('plain.txt', at('link'));
  symlinkSync('/nowhere/at/all', at('dangling'));
  lutimesSync(at('link'), 1_300_000_000.5, 1_300_000_000.5);
  spawnSync('mkfifo', [join(directory, 'fifo')]);
  if (process.getuid?.() === 0) chownSync(at('noise'), 1234, 4321);
  utimesSync(join(directory, 'empty'), 1_200_000_000.25, 1_200_000_000.25);
}

async function expectEqualTrees(expected: string, found: string): Promise<void> {
  const differences = compareFingerprints(await fingerprintDirectory(expected), await fingerprintDirectory(found));
  expect(differences).toEqual([]);
}

describe.skipIf(!requires('restic'))('stock restic', () => {
  it('checks and restores what holdfast wrote, to the nanosecond', async () => {
    const directory = scratchDirectory();
    writeTree(join(directory, 'data'));
    writePlan(directory, `  files: { type: files, paths: [${directory}/data] }`);
    await initialise(directory);
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    writeFileSync(join(directory, 'data', 'more'), 'more');
    expect((await holdfast(directory, ['backup'])).exit).toBe(0);
    resticCheck(join(directory, 'repository'));
    restic(join(directory, 'repository'), ['restore', 'latest', '--target', join(directory, 'by-restic')]);
    await expectEqualTrees(join(directory, 'data'), join(directory, 'by-restic', directory, 'data'));
    await holdfast(directory, ['restore', 'files', '--to', 'by-holdfast']);
    await expectEqualTrees(join(directory, 'data'), join(directory, 'by-holdfast', directory, 'data'));
    expect((await holdfast(directory, ['verify'])).exit).toBe(0);
  });

  it.each([1, 2] as const)(
    'writes repositories of format %s that holdfast lists, checks, restores and adds to',
    async (version) => {
      const directory = scratchDirectory();
      writeTree(join(directory, 'data'));
      await initialiseWithRestic(join(directory, 'repository'), version);
      restic(join(directory, 'repository'), ['backup', join(directory, 'data'), '--tag', 'theirs']);
      rmSync(join(directory, 'data', 'large'));
      restic(join(directory, 'repository'), ['backup', join(directory, 'data'), '--tag', 'theirs']);
      writePlan(directory, `  files: { type: files, paths: [${directory}/data] }`);
      const listed = document(await holdfast(directory, ['snapshots', '--json'])).snapshots;
      expect(listed.map(({ tags }: { tags: string[] }) => tags)).toEqual([['theirs'], ['theirs']]);
      expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
      const restored = await holdfast(directory, ['restore', '--snapshot', listed[1].id.slice(0, 10), '--to', 'back']);
      expect(restored.exit, restored.stderr).toBe(0);
      await expectEqualTrees(join(directory, 'data'), join(directory, 'back', directory, 'data'));
      expect((await holdfast(directory, ['backup'])).exit).toBe(0);
      expect((await holdfast(directory, ['verify'])).exit).toBe(0);
      resticCheck(join(directory, 'repository'));
      restic(join(directory, 'repository'), ['backup', join(directory, 'data'), '--tag', 'theirs']);
      expect((await holdfast(directory, ['check', '--read-data'])).exit).toBe(0);
    },
  );
});
