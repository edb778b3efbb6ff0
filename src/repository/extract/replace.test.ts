import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  noise,
  testDirectory,
  testRepository,
  withReader,
  writeFile,
  writeSnapshot,
} from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { describeTree } from '../../../test/support/tree.ts';
import type { TreeNode } from '../../format/index.ts';
import { setAttribute } from '../../foundation/extended-attributes.ts';
import { noProgress, type Progress } from '../../foundation/progress.ts';
import type { Repository } from '../repository.ts';
import type { Extracted, ExtractOptions } from '../snapshot-io.ts';
import { MARKER_NAME } from './marker.ts';

/** By path: what is in a file, where a link leads, or a directory. */
type Content = Record<string, Buffer | string | 'directory'>;

const LARGE = noise(6_000_000);
const SNAPSHOT: Content = {
  a: 'directory',
  'a/b': 'directory',
  'a/b/large': LARGE,
  'a/b/note.txt': Buffer.from('a note'),
  'a/empty': 'directory',
  'a/link': 'b/note.txt',
  'top.txt': Buffer.from('on top'),
  zeros: Buffer.alloc(100_000),
};

let repository: Repository;
let surroundings: string;
let target: string;

beforeEach(async () => {
  surroundings = testDirectory();
  target = join(surroundings, 'target');
  repository = await testRepository();
  await snapshot(SNAPSHOT);
});

async function snapshot(content: Content): Promise<void> {
  const times = { mtime: '2020-01-02T03:04:05.678Z', atime: '2020-01-02T03:04:05.678Z', uid: 0, gid: 0 };
  await writeSnapshot(repository, async (writer) => {
    const entries = async (directory: string): Promise<TreeNode[]> => {
      const names = Object.keys(content).filter((path) => path.slice(0, path.lastIndexOf('/') + 1) === directory);
      const nodes = names.map(async (path): Promise<TreeNode> => {
        const name = path.slice(directory.length);
        const what = content[path]!;
        if (Buffer.isBuffer(what)) return { ...(await writeFile(writer, name, what)), ...times };
        if (what !== 'directory')
          return { name, type: 'symlink', linktarget: what, mode: 0o777, content: null, ...times };
        const subtree = await writer.saveTree(await entries(`${path}/`));
        return { name, type: 'dir', mode: 2 ** 31 + 0o755, content: null, subtree, ...times };
      });
      return Promise.all(nodes);
    };
    return entries('');
  });
}

function restore(options: Partial<ExtractOptions> = {}, to = target): Promise<Extracted> {
  const signal = new AbortController().signal;
  return withReader(repository, (reader) => reader.extract(to, { progress: noProgress, signal, ...options }));
}

function replace(options: Partial<ExtractOptions> = {}): Promise<Extracted> {
  return restore({ replace: true, ...options });
}

/** Ends a restore before its first byte is there, its mark left behind. */
async function interrupt(options: Partial<ExtractOptions> = {}): Promise<void> {
  const controller = new AbortController();
  const progress = { ...noProgress, phase: () => controller.abort(new Error('told to')) };
  await expect(restore({ ...options, progress, signal: controller.signal })).rejects.toThrow('told to');
  expect(readdirSync(target)).toContain(MARKER_NAME);
}

async function expectLikeNew(): Promise<void> {
  const fresh = join(testDirectory(), 'fresh');
  await restore({}, fresh);
  expect(describeTree(target)).toEqual(describeTree(fresh));
}

describe('a restore that replaces its target', () => {
  it('makes of anything what a new directory would be', async () => {
    for (const directory of ['a/b/note.txt/deep/er', 'a/empty/not', 'more/and/more', 'zeros']) {
      mkdirSync(join(target, directory), { recursive: true });
    }
    writeFileSync(join(target, 'a/b/note.txt/deep/er/file'), 'x');
    writeFileSync(join(target, 'a/empty/not/at all'), 'x');
    writeFileSync(join(target, 'more/\xff'), 'x', { mode: 0o000 });
    writeFileSync(join(target, 'a/b/large'), Buffer.concat([LARGE, Buffer.from('and more')]));
    setAttribute(Buffer.from(join(target, 'a/b/large')), Buffer.from('user.more'), Buffer.from('x'));
    symlinkSync('nowhere', join(target, 'top.txt'));
    symlinkSync('/', join(target, 'more/root'));
    mkdirSync(join(target, 'a/link'));
    chmodSync(join(target, 'more/and'), 0o000);
    const { problems, removedEntries } = await replace();
    expect(problems).toEqual([]);
    expect(removedEntries).toBeGreaterThan(10);
    await expectLikeNew();
  });

  it('leaves alone what is right, and makes right what is not, whatever its times say', async () => {
    await restore();
    const changed = (path: string) => statSync(join(target, path), { bigint: true }).ctimeNs;
    const before = ['a/b/large', 'zeros'].map(changed);
    writeFileSync(join(target, 'top.txt'), 'ON TOP');
    // To the nanosecond, which Node cannot.
    execFileSync('touch', ['-r', join(target, 'zeros'), join(target, 'top.txt')]);
    writeFileSync(join(target, 'surplus'), 'x');
    const { keptFiles, removedEntries } = await replace();
    expect([keptFiles, removedEntries]).toEqual([3, 1]);
    expect(['a/b/large', 'zeros'].map(changed)).toEqual(before);
    await expectLikeNew();
    expect((await replace()).removedEntries).toBe(0);
  });

  it('makes right what is wrong in the midst of a file that several threads look at', async () => {
    const size = 40_000_000;
    await snapshot({ large: Buffer.concat([Buffer.alloc(size), LARGE]), small: Buffer.from('small') });
    await replace();
    const wrong = [0, size / 2, size + LARGE.length - 1];
    const file = openSync(join(target, 'large'), 'r+');
    for (const position of wrong) writeSync(file, Buffer.of(1), 0, 1, position);
    closeSync(file);
    writeFileSync(join(target, 'small'), 'smell');
    let told = 0;
    const advance: Progress['advance'] = ({ bytes = 0 }) => {
      told += bytes;
    };
    expect(await replace({ progress: { ...noProgress, advance } })).toMatchObject({ files: 2, keptFiles: 0 });
    expect(told).toBe(size + LARGE.length + 'small'.length);
    await expectLikeNew();
    expect(await replace()).toMatchObject({ files: 2, keptFiles: 2 });
  });

  it('leaves alone links that are right', async () => {
    await restore();
    const made = () => lstatSync(join(target, 'a/link'), { bigint: true }).birthtimeNs;
    const before = made();
    await replace();
    expect(made()).toBe(before);
    rmSync(join(target, 'a/link'));
    symlinkSync('b/another.txt', join(target, 'a/link'));
    await replace();
    await expectLikeNew();
  });

  it('does the same to a directory that is empty, or not there', async () => {
    await replace();
    await expectLikeNew();
    rmSync(target, { recursive: true });
    mkdirSync(target);
    await replace();
    await expectLikeNew();
  });

  it('follows no link out of the target, nor writes through one', async () => {
    const outside = join(surroundings, 'outside');
    mkdirSync(join(outside, 'b'), { recursive: true });
    writeFileSync(join(outside, 'b', 'note.txt'), 'as it was');
    writeFileSync(join(outside, 'precious'), 'as it was');
    const before = describeTree(outside);
    mkdirSync(target);
    symlinkSync(outside, join(target, 'a'));
    symlinkSync(outside, join(target, 'surplus'));
    linkSync(join(outside, 'precious'), join(target, 'top.txt'));
    linkSync(join(outside, 'precious'), join(target, 'another name'));
    await replace();
    await expectLikeNew();
    expect(describeTree(outside)).toEqual(before);
  });

  it('removes and touches nothing that the selection does not mean', async () => {
    mkdirSync(join(target, 'a/b'), { recursive: true });
    mkdirSync(join(target, 'other'));
    for (const name of ['kept', 'a/kept', 'a/b/gone', 'a/b/kept.keep', 'other/kept', 'top.txt']) {
      writeFileSync(join(target, name), name);
    }
    await replace({ selection: { only: ['/a/b'], exclude: ['*.keep', 'large'] } });
    expect((readdirSync(target, { recursive: true }) as string[]).sort()).toEqual(
      ['a', 'a/b', 'a/b/kept.keep', 'a/b/note.txt', 'a/kept', 'kept', 'other', 'other/kept', 'top.txt'].sort(),
    );
    expect(readFileSync(join(target, 'top.txt'), 'utf8')).toBe('top.txt');
    writeFileSync(join(target, 'other/x.txt'), 'x');
    await replace({ selection: { only: ['*.txt'] } });
    expect(readdirSync(join(target, 'other'))).toEqual(['kept']);
    expect(readFileSync(join(target, 'top.txt'), 'utf8')).toBe('on top');
    expect(existsSync(join(target, 'kept'))).toBe(true);
  });

  it('is refused before anything is changed where a link outside of the selection is in the way', async () => {
    mkdirSync(target);
    mkdirSync(join(surroundings, 'elsewhere'));
    symlinkSync('../elsewhere', join(target, 'a'));
    const selection = { only: ['/a/b/note.txt'] };
    await expect(replace({ selection })).rejects.toMatchObject({ code: 'target-failed' });
    expect(readlinkSync(join(target, 'a'))).toBe('../elsewhere');
    expect(readdirSync(join(surroundings, 'elsewhere'))).toEqual([]);
    expect(readdirSync(target)).toEqual(['a']);
  });

  it('removes nothing when nothing in the snapshot is what was asked for', async () => {
    mkdirSync(target);
    writeFileSync(join(target, 'x.none'), 'x');
    await expect(replace({ selection: { only: ['*.none'] } })).rejects.toMatchObject({ code: 'path-missing' });
    expect(readdirSync(target)).toEqual(['x.none']);
  });
});

describe.skipIf(!requires('tmpfs'))('a restore that replaces a target in which something is mounted', () => {
  it.each(['another file system', 'a part of the same one'])(
    'is refused before anything is changed: %s',
    async (what) => {
      const place = join(target, 'with a space', 'mounted');
      mkdirSync(place, { recursive: true });
      writeFileSync(join(target, 'surplus'), 'x');
      mkdirSync(join(surroundings, 'part'));
      writeFileSync(join(surroundings, 'part', 'precious'), 'x');
      const words = what === 'another file system' ? ['-t', 'tmpfs', 'tmpfs'] : ['--bind', join(surroundings, 'part')];
      expect(spawnSync('mount', [...words, place]).status).toBe(0);
      onTestFinished(() => void spawnSync('umount', [place]));
      await expect(replace()).rejects.toMatchObject({
        code: 'target-unsuitable',
        message: expect.stringContaining('/with a space/mounted'),
      });
      expect(readdirSync(target).sort()).toEqual(['surplus', 'with a space']);
      expect(readdirSync(join(surroundings, 'part'))).toEqual(['precious']);
      await replace({ selection: { exclude: ['mounted'] } });
      expect(readdirSync(target).sort()).toEqual(['a', 'top.txt', 'with a space', 'zeros']);
    },
  );
});

describe.skipIf(!requires('immutable'))('what a restore cannot remove', () => {
  it('is a problem of its own, and everything else is done', async () => {
    mkdirSync(join(target, 'surplus'), { recursive: true });
    const stuck = join(target, 'surplus', 'stuck');
    writeFileSync(stuck, 'x');
    writeFileSync(join(target, 'surplus', 'gone'), 'x');
    spawnSync('chattr', ['+i', stuck]);
    onTestFinished(() => void spawnSync('chattr', ['-i', stuck]));
    const { problems, removedEntries } = await replace();
    expect(problems).toEqual([{ path: stuck, message: expect.stringMatching(/^cannot be removed: EPERM: [a-z ]+$/) }]);
    expect(removedEntries).toBe(1);
    expect(readdirSync(target).sort()).toEqual(['a', 'surplus', 'top.txt', 'zeros']);
    spawnSync('chattr', ['-i', stuck]);
    await replace();
    await expectLikeNew();
  });
});

describe('a dry run of a replacement', () => {
  it('names what would be removed, and changes nothing', async () => {
    mkdirSync(join(target, 'a/b/note.txt/deep'), { recursive: true });
    mkdirSync(join(target, 'more/kept'), { recursive: true });
    mkdirSync(join(target, 'more/gone'));
    for (const name of ['zeros', 'more/kept/x.keep', 'more/x']) writeFileSync(join(target, name), name);
    symlinkSync('/', join(target, 'root'));
    const before = describeTree(target);
    const selection = { exclude: ['*.keep'] };
    const { surplus, removedEntries } = await replace({ selection, dryRun: true });
    const expected = ['a/b/note.txt/deep', 'a/b/note.txt', 'more/gone', 'more/x', 'root'];
    expect(surplus).toEqual(expected.map((path) => join(target, path)));
    expect(removedEntries).toBe(0);
    expect(describeTree(target)).toEqual(before);
    expect((await replace({ selection })).removedEntries).toBe(surplus!.length);
  });

  it('makes no target', async () => {
    expect((await replace({ dryRun: true })).surplus).toEqual([]);
    expect(existsSync(target)).toBe(false);
  });
});

describe('a replacement that was interrupted', () => {
  beforeEach(() => {
    mkdirSync(target);
    writeFileSync(join(target, 'surplus'), 'x');
  });

  it('is gone on with by one only, since another restore would leave what it was to remove', async () => {
    await interrupt({ replace: true });
    expect(existsSync(join(target, 'surplus'))).toBe(true);
    await expect(restore()).rejects.toMatchObject({
      code: 'target-not-empty',
      hint: expect.stringContaining('--replace'),
    });
    await replace();
    await expectLikeNew();
  });

  it('is taken over by another snapshot, and by one of everything only where it was of something else', async () => {
    const part = { only: ['/a'] };
    await interrupt({ replace: true, selection: part });
    await snapshot({ ...SNAPSHOT, more: Buffer.from('more') });
    await expect(replace({ selection: { only: ['more'] } })).rejects.toMatchObject({ code: 'target-not-empty' });
    await replace({ selection: part });
    expect(readdirSync(target).sort()).toEqual(['a', 'surplus']);
    await interrupt({ replace: true, selection: part });
    await replace();
    await expectLikeNew();
  });

  it('may have been a restore that replaced nothing', async () => {
    rmSync(target, { recursive: true });
    await interrupt();
    await expect(replace({ selection: { only: ['/a'] } })).rejects.toMatchObject({ code: 'target-not-empty' });
    writeFileSync(join(target, 'surplus'), 'x');
    await replace();
    await expectLikeNew();
  });

  it('leaves no mark that is written through a link', async () => {
    const outside = join(surroundings, 'outside');
    writeFileSync(outside, 'as it was');
    symlinkSync(outside, join(target, MARKER_NAME));
    linkSync(outside, join(target, `${MARKER_NAME}.new`));
    await interrupt({ replace: true });
    expect(lstatSync(join(target, MARKER_NAME)).isFile()).toBe(true);
    expect(readFileSync(outside, 'utf8')).toBe('as it was');
    await replace();
    await expectLikeNew();
  });
});

describe('a replacement by a snapshot that has an entry of the name of the mark', () => {
  it('is as any other, save that it is not marked', async () => {
    await snapshot({ [MARKER_NAME]: 'directory', [`${MARKER_NAME}/file`]: Buffer.from('x') });
    mkdirSync(target);
    writeFileSync(join(target, 'undefined'), 'x');
    writeFileSync(join(target, MARKER_NAME), 'x');
    await replace();
    await expectLikeNew();
  });
});

describe('a restore that leaves something out', () => {
  const leaveOut = ['/a/b'];

  it('removes what another one of the same has begun to make of it', async () => {
    await restore();
    const { tree } = await withReader(repository, async (reader) => reader);
    writeFileSync(join(target, MARKER_NAME), JSON.stringify({ version: 1, tree, selection: {} }));
    writeFileSync(join(target, 'a/b/large'), 'half of it');
    await restore({ leaveOut });
    expect((readdirSync(target, { recursive: true }) as string[]).sort()).toEqual(
      ['a', 'a/empty', 'a/link', 'top.txt', 'zeros'].sort(),
    );
  });

  it('follows no link to it', async () => {
    await restore();
    const { tree } = await withReader(repository, async (reader) => reader);
    writeFileSync(join(target, MARKER_NAME), JSON.stringify({ version: 1, tree, selection: {} }));
    renameSync(join(target, 'a'), join(surroundings, 'moved'));
    symlinkSync('../moved', join(target, 'a'));
    await restore({ leaveOut });
    expect(readdirSync(join(surroundings, 'moved', 'b')).sort()).toEqual(['large', 'note.txt']);
    expect(readdirSync(join(target, 'a')).sort()).toEqual(['empty', 'link']);
  });
});
