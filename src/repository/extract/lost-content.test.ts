import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { BAD_SECTOR } from '../../../test/support/damage.ts';
import {
  craftSnapshot,
  dataBlob,
  noise,
  rawTreeBlob,
  testDirectory,
  testRepository,
  withReader,
} from '../../../test/support/repository.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { noProgress } from '../../foundation/progress.ts';
import type { ByteRange } from '../../store/index.ts';
import { createLocalStore } from '../../store/local/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { packKey } from '../layout.ts';
import { loadIndex } from '../load-index.ts';
import type { Repository } from '../repository.ts';
import type { Extracted, ExtractOptions } from '../snapshot-io.ts';
import { MARKER_NAME } from './marker.ts';

const BLOBS = 12;
const blobs = Array.from({ length: BLOBS }, (_, number) => dataBlob(noise(300_000, number)));
const NEVER_STORED = dataBlob('was never stored');

let repository: Repository;
let target: string;
let snapshot: string;

type Node = Record<string, unknown> & { name: string };

function file(name: string, ...content: (typeof blobs)[number][]): Node & { content: string[] } {
  const size = content.reduce((sum, { plain }) => sum + plain.length, 0);
  return { name, type: 'file', mode: 0o640, size, content: content.map(({ id }) => id) };
}

/** Each blob alone, all of them together, and the last two. */
const PLAIN = [
  ...blobs.map((blob, number) => file(`${number}`.padStart(2, '0'), blob)),
  file('all', ...blobs),
  file('tail', ...blobs.slice(-2)),
];
const NAMES = PLAIN.map(({ name }) => name);

/** The blobs in a pack of their own, in this order. */
async function craft(nodes: Node[]): Promise<void> {
  await craftSnapshot(repository, [...blobs, rawTreeBlob([])]);
  snapshot = (await craftSnapshot(repository, [rawTreeBlob(nodes)])).id;
}

async function placeOf(number: number): Promise<{ key: string; offset: number; length: number }> {
  const { pack, offset, length } = (await loadIndex(repository)).locate(blobs[number]!.id, 'data');
  return { key: packKey(pack), offset, length };
}

async function rewrite(key: string, change: (pack: Buffer) => Uint8Array): Promise<void> {
  const pack = Buffer.from(await repository.store.get(key));
  await repository.store.delete(key);
  await repository.store.put(key, change(pack));
}

async function damage(...numbers: number[]): Promise<void> {
  for (const number of numbers) {
    const { key, offset, length } = await placeOf(number);
    await rewrite(key, (pack) => {
      pack[offset + (length >> 1)]! ^= 1;
      return pack;
    });
  }
}

function extract(options: Partial<ExtractOptions> = {}): Promise<Extracted> {
  const { signal } = new AbortController();
  const how = { progress: noProgress, signal, leavesOutLost: true, ...options };
  return withReader(repository, (reader) => reader.extract(target, how), snapshot);
}

/** What came back is whole, and all else is named. */
function expectLost(extracted: Extracted, lost: string[], reason: RegExp): void {
  expect(readdirSync(target).sort()).toEqual(NAMES.filter((name) => !lost.includes(name)).sort());
  for (const name of readdirSync(target)) {
    const { content } = PLAIN.find((node) => node.name === name)!;
    const expected = Buffer.concat(content.map((id) => Buffer.from(blobs.find((blob) => blob.id === id)!.plain)));
    expect(readFileSync(join(target, name)).equals(expected), name).toBe(true);
  }
  expect(extracted.problems.map(({ path }) => path).sort()).toEqual(lost.map((name) => join(target, name)).sort());
  for (const { message } of extracted.problems) expect(message).toMatch(reason);
  const bytes = readdirSync(target).reduce((sum, name) => sum + readFileSync(join(target, name)).length, 0);
  expect(extracted).toMatchObject({ lost: lost.length, files: NAMES.length - lost.length, bytes });
}

describe.each(['local', 'memory'] as const)('a restore from a %s store that goes on past what is lost', (kind) => {
  beforeEach(async () => {
    target = join(testDirectory(), 'target');
    repository = await testRepository(kind === 'local' ? createLocalStore(testDirectory()) : new MemoryStore());
  });

  it('leaves out the files alone that need a damaged blob', async () => {
    await craft(PLAIN);
    await damage(3, 7);
    expectLost(await extract(), ['03', '07', 'all'], /^its content is lost: .*damaged/);
  });

  it('leaves out all that needs a pack that is missing', async () => {
    const rest = dataBlob('in another pack');
    await craftSnapshot(repository, [rest, rawTreeBlob([])]);
    await craft([...PLAIN, file('rest', rest)]);
    await repository.store.delete((await placeOf(0)).key);
    const { problems } = await extract();
    expect(readdirSync(target)).toEqual(['rest']);
    expect(problems).toEqual(
      NAMES.map((name) => ({
        path: join(target, name),
        message: expect.stringMatching(/^its content is lost: data\/.* is /),
      })),
    );
  });

  it('fails where nothing comes back', async () => {
    await craft(PLAIN);
    await repository.store.delete((await placeOf(0)).key);
    await expect(extract()).rejects.toMatchObject({
      code: 'object-missing',
      message: expect.stringMatching(/^nothing of it can be restored: data\/.*; .*\/00 and 13 more need it$/),
    });
  });

  it('brings back what lies before the end of a pack that ends too early', async () => {
    await craft(PLAIN);
    const { key, offset } = await placeOf(5);
    await rewrite(key, (pack) => pack.subarray(0, offset + 1000));
    const lost = [...NAMES.filter((name) => Number(name) >= 5), 'all', 'tail'];
    expectLost(await extract(), lost, /^its content is lost: .*ends before byte/);
  });

  it('leaves out what needs a blob that no index knows', async () => {
    await craft([...PLAIN, file('unknown', blobs[0]!, NEVER_STORED)]);
    const extracted = await extract();
    expect(readdirSync(target).sort()).toEqual([...NAMES].sort());
    expect(extracted.problems).toEqual([
      { path: join(target, 'unknown'), message: expect.stringMatching(/^its content is lost: .*index/) },
    ]);
  });

  it('leaves out all names of a file, and what is in a directory whose tree is lost', async () => {
    const linked = { inode: 7, device_id: 1, links: 2 };
    const lostDirectory = { name: 'lost', type: 'dir', mode: 2 ** 31 + 0o750, content: null, subtree: NEVER_STORED.id };
    const link = { name: 'link', type: 'symlink', linktarget: 'a' };
    await craft([{ ...file('a', blobs[1]!), ...linked }, { ...file('b', blobs[1]!), ...linked }, link, lostDirectory]);
    await damage(1);
    const extracted = await extract();
    expect(readdirSync(target).sort()).toEqual(['link', 'lost']);
    expect(readdirSync(join(target, 'lost'))).toEqual([]);
    expect(extracted).toMatchObject({ lost: 3, files: 0, directories: 1, others: 1, bytes: 0 });
    expect(extracted.problems).toEqual([
      { path: join(target, 'lost'), message: expect.stringMatching(/^what was in it is lost: /) },
      ...['a', 'b'].map((name) => ({ path: join(target, name), message: expect.stringMatching(/^its content/) })),
    ]);
  });

  it('ends where it is not to go on', async () => {
    await craft(PLAIN);
    await damage(3);
    await expect(extract({ leavesOutLost: false })).rejects.toMatchObject({
      code: 'repository-damaged',
      message: expect.stringMatching(/needs it$/),
    });
  });

  it('ends where nothing of the snapshot can be read', async () => {
    snapshot = (await craftSnapshot(repository, [{ ...rawTreeBlob(PLAIN), claim: { id: NEVER_STORED.id } }])).id;
    await expect(extract()).rejects.toMatchObject({ code: 'repository-damaged' });
  });

  it('looks nowhere that nothing may lie which is wanted', async () => {
    const lost = { name: 'lost', type: 'dir', mode: 2 ** 31 + 0o750, content: null, subtree: NEVER_STORED.id };
    await craft([...PLAIN, lost]);
    const extracted = await extract({ selection: { only: ['/01', '/0[2-3]'] }, leavesOutLost: false });
    expect(readdirSync(target)).toEqual(['01', '02', '03']);
    expect(extracted).toMatchObject({ files: 3, directories: 0, lost: 0, problems: [] });
    await expect(extract({ selection: { only: ['/*/x'] }, leavesOutLost: false })).rejects.toMatchObject({
      code: 'repository-damaged',
    });
  });

  it('does not say of what was lost that it is not in the snapshot', async () => {
    await craft([{ name: 'lost', type: 'dir', mode: 2 ** 31 + 0o750, content: null, subtree: NEVER_STORED.id }]);
    await expect(extract({ selection: { only: ['inside'] } })).rejects.toMatchObject({
      message: 'nothing in what is left of the snapshot is named by "inside"',
    });
  });

  describe('over what is there', () => {
    const UNKNOWN = file('unknown', NEVER_STORED);
    const LOST_DIRECTORY = {
      name: 'lost',
      type: 'dir',
      mode: 2 ** 31 + 0o750,
      content: null,
      subtree: NEVER_STORED.id,
    };

    beforeEach(async () => {
      await craft([...PLAIN, UNKNOWN, LOST_DIRECTORY]);
      await damage(3);
      mkdirSync(join(target, 'lost', 'inner'), { recursive: true });
      for (const name of ['unknown', 'surplus', '03', 'lost/kept', 'lost/inner/kept']) {
        writeFileSync(join(target, name), 'from before');
      }
      writeFileSync(join(target, 'all'), Buffer.concat(blobs.map(({ plain }) => plain)));
    });

    it('leaves alone what it knows nothing of, and keeps no mixture', async () => {
      const extracted = await extract({ replace: true });
      expect(readdirSync(join(target, 'lost')).sort()).toEqual(['inner', 'kept']);
      expect(readFileSync(join(target, 'lost/inner/kept'), 'utf8')).toBe('from before');
      expect(readFileSync(join(target, 'unknown'), 'utf8')).toBe('from before');
      // It was right already: nothing of it was needed.
      expect(readFileSync(join(target, 'all')).equals(Buffer.concat(blobs.map(({ plain }) => plain)))).toBe(true);
      expect(existsSync(join(target, '03'))).toBe(false);
      expect(existsSync(join(target, 'surplus'))).toBe(false);
      expect(extracted).toMatchObject({ removedEntries: 1, lost: 3 });
      const named = extracted.problems.map(({ path }) => path).sort();
      expect(named).toEqual(['03', 'lost', 'unknown'].map((name) => join(target, name)));
    });

    it('says before what it would leave out, as far as that is known', async () => {
      const extracted = await extract({ replace: true, dryRun: true });
      expect(extracted.surplus).toEqual([join(target, 'surplus')]);
      expect(extracted.problems.map(({ path }) => path)).toEqual(['lost', 'unknown'].map((name) => join(target, name)));
    });
  });

  it('keeps no second name of what it could make right in part alone', async () => {
    const linked = { inode: 7, device_id: 1, links: 2 };
    await craft([
      { ...file('a', ...blobs), ...linked },
      { ...file('b', ...blobs), ...linked },
      file('small', blobs[0]!),
    ]);
    await damage(6);
    mkdirSync(target);
    writeFileSync(join(target, 'a'), 'from before');
    linkSync(join(target, 'a'), join(target, 'b'));
    const extracted = await extract({ replace: true });
    expect(readdirSync(target)).toEqual(['small']);
    expect(extracted.lost).toBe(2);
  });

  it('goes on with one that was interrupted', async () => {
    await craft(PLAIN);
    await damage(3);
    const { tree } = await withReader(repository, async (reader) => reader, snapshot);
    mkdirSync(target);
    writeFileSync(join(target, MARKER_NAME), JSON.stringify({ version: 1, tree }));
    writeFileSync(join(target, '03'), 'half');
    writeFileSync(join(target, 'all'), 'half');
    expectLost(await extract(), ['03', 'all'], /^its content is lost/);
  });
});

describe('a restore from a disk with a bad sector', () => {
  it('leaves out what it cannot read, and brings back the rest', async () => {
    target = join(testDirectory(), 'target');
    const directory = testDirectory();
    repository = await testRepository(createLocalStore(directory));
    const rest = dataBlob('in another pack');
    await craftSnapshot(repository, [rest, rawTreeBlob([])]);
    await craft([...PLAIN, file('rest', rest)]);
    const { key } = await placeOf(0);
    rmSync(join(directory, key));
    symlinkSync(BAD_SECTOR, join(directory, key));
    const { problems } = await extract();
    expect(readdirSync(target)).toEqual(['rest']);
    expect(problems).toHaveLength(NAMES.length);
    expect(problems[0]!.message).toMatch(/^its content is lost: cannot read data\/.*: EIO/);
  });
});

describe('a restore of a range that cannot be had as a whole', () => {
  /** Has no range that a byte of an object is in. */
  class WornStore extends MemoryStore {
    readonly bad = new Map<string, number>();

    override get(key: string, range?: ByteRange): Promise<Uint8Array> {
      const at = this.bad.get(key) ?? Number.POSITIVE_INFINITY;
      if (range !== undefined && range.offset <= at && at < range.offset + range.length) {
        return Promise.reject(new HoldfastError('repository-damaged', `${key} has a hole`));
      }
      return super.get(key, range);
    }
  }

  it('brings back all but what lies in its hole', async () => {
    target = join(testDirectory(), 'target');
    const store = new WornStore();
    repository = await testRepository(store);
    await craft(PLAIN);
    const { key, offset } = await placeOf(4);
    store.bad.set(key, offset + 100);
    expectLost(await extract(), ['04', 'all'], /^its content is lost: .* has a hole$/);
  });
});
