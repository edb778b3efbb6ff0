import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  backUpFiles,
  captureContext,
  captureFiles,
  type FilesBackup,
  giveContentOf,
} from '../../../test/support/files-backup.ts';
import { testDirectory, testRepository, withReader } from '../../../test/support/repository.ts';
import { pathMatcher, type TreeNode } from '../../format/index.ts';
import type { Repository } from '../../repository/index.ts';
import type { Changes } from '../index.ts';
import { watchFiles } from './watch/watch-files.ts';

const EXCLUDE = ['*.tmp'];
let repository: Repository;

beforeAll(async () => {
  repository = await testRepository();
});

function told(changes: Changes): ReadonlySet<string> {
  if (changes === 'anywhere') throw new Error('the watch lost track');
  return changes;
}

/** How much a snapshot says to hold, and each of its entries. */
async function holdingOf({ id, manifest }: FilesBackup, tree: string) {
  const { files, directories, bytes } = manifest.details;
  const entries = new Map<string, TreeNode>();
  await withReader(
    repository,
    async (reader) => {
      const visit = async (id: string, above: string): Promise<void> => {
        for (const { subtree, ...node } of await reader.entries(id)) {
          entries.set(`${above}/${node.name}`, node);
          if (subtree !== undefined) await visit(subtree, `${above}/${node.name}`);
        }
      };
      await visit(reader.tree, '');
    },
    id,
  );
  // What lies elsewhere may have changed in between: the manifest, and times of directories that lead to it.
  for (const path of entries.keys()) if (!path.startsWith(tree)) entries.delete(path);
  return { files, directories, bytes, entries };
}

/** What a capture of these changes holds, which must be what one of everything holds. */
async function captureChanged(tree: string, changed: ReadonlySet<string>): Promise<FilesBackup> {
  const part = await backUpFiles(repository, [tree], { exclude: EXCLUDE }, changed);
  const whole = await backUpFiles(repository, [tree], { exclude: EXCLUDE });
  expect(await holdingOf(part, tree)).toEqual(await holdingOf(whole, tree));
  return part;
}

async function watchedTree(fill: (tree: string) => void) {
  const tree = join(testDirectory(), 'tree');
  mkdirSync(tree);
  fill(tree);
  const watch = await watchFiles([tree], pathMatcher(EXCLUDE), { onChange: () => {}, note: () => {} });
  onTestFinished(() => watch.close());
  await backUpFiles(repository, [tree], { exclude: EXCLUDE });
  return { tree, take: () => told(watch.take()) };
}

/** Numbers that are the same for the same seed. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

/** Does something to a random entry of a tree. */
function disturb(tree: string, next: (below: number) => number, step: number): void {
  const all = readdirSync(tree, { recursive: true, encoding: 'utf8' });
  const directories = [
    '',
    ...all.filter((path) => statSync(join(tree, path), { throwIfNoEntry: false })?.isDirectory()),
  ];
  const pick = (from: readonly string[]): string => join(tree, from[next(from.length)] ?? '');
  const into = pick(directories);
  const fresh = join(into, `n${step}${['', '.tmp'][next(8) === 0 ? 1 : 0]}`);
  const some = all.length === 0 ? fresh : pick(all);
  const actions = [
    () => writeFileSync(fresh, `content ${step}`),
    () => mkdirSync(join(fresh, 'a', 'b'), { recursive: true }),
    () => symlinkSync(`target ${step}`, fresh),
    () => rmSync(some, { recursive: true, force: true }),
    () => some !== into && !`${into}/`.startsWith(`${some}/`) && renameSync(some, fresh),
    () => statSync(some, { throwIfNoEntry: false })?.isFile() && appendFileSync(some, 'more'),
    () => statSync(some, { throwIfNoEntry: false }) && chmodSync(some, next(2) === 0 ? 0o755 : 0o700),
  ];
  actions[next(actions.length)]!();
}

describe.skipIf(process.platform !== 'linux')('a capture of what a watch told of', () => {
  it('holds what a capture of everything holds, whatever was done', async () => {
    const { tree, take } = await watchedTree((directory) => {
      for (const name of ['one', 'two', 'three']) {
        mkdirSync(join(directory, name, 'inner'), { recursive: true });
        writeFileSync(join(directory, name, 'inner', 'file'), name);
      }
    });
    const next = random(6);
    for (let round = 0; round < 3; round++) {
      for (let step = 0; step < 30; step++) disturb(tree, next, round * 100 + step);
      await captureChanged(tree, take());
    }
  });

  it('reads again what was written within a tick of the clock, though times and size do not tell', async () => {
    const { tree } = await watchedTree(() => {});
    const file = join(tree, 'file');
    writeFileSync(join(tree, 'another'), 'two');
    let whole: FilesBackup;
    do {
      writeFileSync(file, 'one');
      whole = await backUpFiles(repository, [tree]);
      // Where this machine is busy, it may have taken longer than that.
    } while (whole.timeMs - statSync(file).ctimeMs > 900);
    const counts = await withReader(repository, async (previous) => {
      giveContentOf('another', 'file', previous);
      const { counts } = await captureFiles(repository, [tree], {
        ...captureContext(previous),
        changed: new Set([file]),
      });
      return counts;
    });
    expect(counts).toMatchObject({ filesChanged: 1 });
  });

  it('looks at nothing that was not told', async () => {
    const { tree, take } = await watchedTree((directory) => {
      for (const name of ['a', 'b']) {
        mkdirSync(join(directory, name));
        writeFileSync(join(directory, name, 'file'), 'one');
      }
    });
    writeFileSync(join(tree, 'a', 'file'), 'another');
    writeFileSync(join(tree, 'b', 'file'), 'another');
    const onlyA = new Set([...take()].filter((place) => place.startsWith(join(tree, 'a'))));
    const part = await backUpFiles(repository, [tree], {}, onlyA);
    expect(part.counts).toMatchObject({ filesNew: 0, filesChanged: 1, filesUnmodified: 1 });
    // Found when everything is looked at, which is why that is done now and then.
    expect((await backUpFiles(repository, [tree])).counts).toMatchObject({ filesChanged: 1 });
  });

  it('says what is to be looked at again, and then it is there', async () => {
    const { tree, take } = await watchedTree(() => {});
    const growing = join(tree, 'growing');
    writeFileSync(growing, Buffer.alloc(8 * 1024 * 1024));
    const timer = setInterval(() => appendFileSync(growing, 'more'), 1);
    const part = await backUpFiles(repository, [tree], {}, take());
    clearInterval(timer);
    expect(part.problems).toMatchObject([{ item: growing, error: { code: 'source-lost' } }]);
    expect(part.again).toEqual([`${growing}/`]);
    utimesSync(growing, 1, 1);
    const again = await captureChanged(tree, new Set([...part.again!, ...take()]));
    expect(again.problems).toEqual([]);
  });
});
