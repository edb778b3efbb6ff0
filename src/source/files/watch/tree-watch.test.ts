import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { testDirectory } from '../../../../test/support/repository.ts';
import { requires } from '../../../../test/support/requirements.ts';
import { pathMatcher } from '../../../format/index.ts';
import type { Changes, Watch } from '../../index.ts';
import { PortableWatch } from './portable-watch.ts';
import { watchFiles } from './watch-files.ts';
import { WatchedPaths } from './watched-paths.ts';

/** A watch of these paths, by default of a directory `tree`, and what it tells as paths below it. */
async function watching({ paths, exclude = [] }: { paths?: string[]; exclude?: string[] } = {}) {
  const directory = testDirectory();
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'old', 'inner'), { recursive: true });
  const notes: string[] = [];
  let changes = 0;
  const context = { onChange: () => void changes++, note: (message: string) => notes.push(message) };
  const watch = await watchFiles(paths?.map((path) => join(directory, path)) ?? [tree], pathMatcher(exclude), context);
  onTestFinished(() => watch.close());
  return { directory, tree, watch, notes, told: () => below(directory, watch.take()), changes: () => changes };
}

function below(directory: string, changes: Changes): string[] | 'anywhere' {
  if (changes === 'anywhere') return changes;
  return [...changes].map((place) => place.replace(`${directory}/`, '')).sort();
}

const onLinux = describe.skipIf(process.platform !== 'linux');

onLinux('a watch of directories', () => {
  it('tells each entry that changed, came or went, and nothing twice', async () => {
    const { tree, told } = await watching();
    expect(told()).toEqual([]);
    writeFileSync(join(tree, 'a'), '1');
    writeFileSync(join(tree, 'old', 'inner', 'b'), '1');
    symlinkSync('nowhere', join(tree, 'link'));
    expect(told()).toEqual(['tree/a', 'tree/link', 'tree/old/inner/b']);
    unlinkSync(join(tree, 'a'));
    utimesSync(join(tree, 'old'), 1, 1);
    expect(told()).toEqual(['tree/a', 'tree/old']);
    expect(told()).toEqual([]);
  });

  it('knows names that are no text', async () => {
    const { tree, told } = await watching();
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.of(0xff, 0x0a)]), '');
    expect(told()).toEqual(['tree/\u00ff\n']);
  });

  it('watches directories that come up, with all that was in them by the time that it looked', async () => {
    const { tree, told } = await watching();
    mkdirSync(join(tree, 'new', 'deep', 'deeper'), { recursive: true });
    expect(told()).toEqual(['tree/new/']);
    writeFileSync(join(tree, 'new', 'deep', 'deeper', 'file'), '1');
    expect(told()).toEqual(['tree/new/deep/deeper/file']);
  });

  it('follows a directory to where it was moved, and no longer where it was', async () => {
    const { directory, tree, told } = await watching();
    renameSync(join(tree, 'old'), join(tree, 'renamed'));
    expect(told()).toEqual(['tree/old', 'tree/renamed/']);
    writeFileSync(join(tree, 'renamed', 'inner', 'file'), '1');
    expect(told()).toEqual(['tree/renamed/inner/file']);
    renameSync(join(tree, 'renamed'), join(directory, 'outside'));
    writeFileSync(join(directory, 'outside', 'inner', 'file'), '2');
    expect(told()).toEqual(['tree/renamed']);
  });

  it('knows a directory that took the place of another one', async () => {
    const { tree, told } = await watching();
    rmSync(join(tree, 'old'), { recursive: true });
    mkdirSync(join(tree, 'old', 'inner'), { recursive: true });
    told();
    writeFileSync(join(tree, 'old', 'inner', 'file'), '1');
    expect(told()).toEqual(['tree/old/inner/file']);
  });

  it('heeds of what is excluded no more than that its directory has another time', async () => {
    const { tree, told, changes } = await watching({ exclude: ['*.tmp', 'cache'] });
    mkdirSync(join(tree, 'cache'));
    writeFileSync(join(tree, 'cache', 'x'), '1');
    writeFileSync(join(tree, 'a.tmp'), '1');
    expect(told()).toEqual(['tree']);
    expect(changes()).toBe(0);
    writeFileSync(join(tree, 'a.tmp'), '2');
    writeFileSync(join(tree, 'a'), '1');
    expect(told()).toEqual(['tree/a']);
    expect(changes()).toBe(1);
  });

  it('watches a file, also where another one takes its place', async () => {
    const { directory, told } = await watching({ paths: ['file'] });
    writeFileSync(join(directory, 'file'), '1');
    writeFileSync(join(directory, 'other'), '2');
    expect(told()).toEqual(['file']);
    renameSync(join(directory, 'other'), join(directory, 'file'));
    expect(told()).toEqual(['file']);
  });

  it('looks for everything where what leads to it is another one', async () => {
    const { directory, tree, told } = await watching();
    renameSync(tree, join(directory, 'away'));
    mkdirSync(join(tree, 'fresh'), { recursive: true });
    expect(told()).toBe('anywhere');
    writeFileSync(join(tree, 'fresh', 'file'), '1');
    expect(told()).toEqual(['tree/fresh/file']);
  });

  it('says so when more happened than the system keeps, and watches what came up then', async () => {
    const { tree, told, notes } = await watching();
    // No event is like the one before it: those would be one.
    for (let index = 0; index < 9000; index++) {
      utimesSync(join(tree, 'old'), index, index);
      utimesSync(join(tree, 'old', 'inner'), index, index);
    }
    mkdirSync(join(tree, 'unseen'));
    expect(told()).toBe('anywhere');
    expect(notes).toEqual([expect.stringContaining('max_queued_events')]);
    writeFileSync(join(tree, 'unseen', 'file'), '1');
    expect(told()).toEqual(['tree/unseen/file']);
  });

  it.skipIf(!requires('tmpfs'))(
    'looks for everything after a file system went, and watches what was under it',
    async () => {
      const { tree, told, notes } = await watching();
      const mounted = join(tree, 'old');
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mounted]);
      const watch = await watchFiles([tree], () => false, { onChange: () => {}, note: (note) => notes.push(note) });
      onTestFinished(() => watch.close());
      execFileSync('umount', [mounted]);
      expect(watch.take()).toBe('anywhere');
      expect(notes).toEqual([expect.stringContaining('unmounted')]);
      writeFileSync(join(mounted, 'inner', 'file'), '1');
      expect(watch.take()).toEqual(new Set([join(mounted, 'inner', 'file')]));
      expect(told()).toEqual(['tree/old/inner/file']);
    },
  );
});

describe('a watch by what the system offers', () => {
  it('tells what changed, but for what is excluded', async () => {
    const tree = join(testDirectory(), 'tree');
    mkdirSync(tree);
    const { promise: changed, resolve } = Promise.withResolvers<void>();
    const watched = new WatchedPaths([tree], pathMatcher(['*.tmp']));
    const watch: Watch = await PortableWatch.begin([tree], watched, { onChange: resolve, note: () => {} });
    onTestFinished(() => watch.close());
    writeFileSync(join(tree, 'a.tmp'), '1');
    writeFileSync(join(tree, 'a'), '1');
    await changed;
    expect(watch.take()).toEqual(new Set([`${tree}/a/`]));
    expect(watch.take()).toEqual(new Set());
  });
});
