import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { createRepository, listSnapshots, lockRepository, openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { backUpFiles, restoreFiles } from '../support/files-backup.ts';
import { errorsOf, extract, PASSWORD, testDirectory, testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { initialiseWithRestic, restic, resticCheck } from '../support/restic.ts';
import { describeTree, plantTree, restoredAt } from '../support/tree.ts';

/** restic before 0.16 loses bytes of link targets that are not UTF-8, and restic restores no sockets. */
const LOST_BY_RESTIC = ['links/not-utf8', 'special/socket'];

function withoutLost(entries: ReturnType<typeof describeTree>): ReturnType<typeof describeTree> {
  return new Map([...entries].filter(([path]) => !LOST_BY_RESTIC.includes(path)));
}

/** What stock restic and Holdfast make of each other's repositories. */
describe.skipIf(!requires('restic'))('with stock restic', () => {
  let planted: string;
  let expected: ReturnType<typeof describeTree>;

  beforeAll(() => {
    planted = join(testDirectory(), 'planted');
    mkdirSync(planted);
    plantTree(planted);
    expected = describeTree(planted);
  });

  async function newRepository(): Promise<{ directory: string; open: () => ReturnType<typeof openRepository> }> {
    const directory = join(testDirectory(), 'repository');
    await testRepository(createLocalStore(directory));
    return { directory, open: () => openRepository(createLocalStore(directory), PASSWORD) };
  }

  it('a repository of ours is clean, and restores to what was there', async () => {
    const directory = join(testDirectory(), 'repository');
    const repository = await createRepository(createLocalStore(directory), PASSWORD, systemClock);
    const { problems } = await backUpFiles(repository, [planted]);
    expect(problems).toEqual([]);
    resticCheck(directory);
    const target = join(testDirectory(), 'target');
    restic(directory, ['restore', 'latest', '--target', target]);
    expect(withoutLost(describeTree(restoredAt(target, planted)))).toEqual(withoutLost(expected));
  });

  it('a repository of ours restores with Holdfast to what was there', async () => {
    const { open } = await newRepository();
    await backUpFiles(await open(), [planted]);
    const target = join(testDirectory(), 'target');
    expect((await restoreFiles(await open(), target)).problems).toEqual([]);
    expect(describeTree(restoredAt(target, planted))).toEqual(expected);
    expect(existsSync(join(target, '.holdfast'))).toBe(false);
  });

  it.each([1, 2] as const)(
    'a repository of restic in format %d is clean, and its snapshots restore to what was there',
    async (version) => {
      const directory = join(testDirectory(), 'repository');
      await initialiseWithRestic(directory, version);
      const changing = join(testDirectory(), 'changing');
      mkdirSync(changing);
      plantTree(changing);
      restic(directory, ['backup', changing]);
      const first = describeTree(changing);
      appendFileSync(join(changing, 'sizes', 'large'), 'and more');
      restic(directory, ['backup', changing, '--tag', 'second']);
      const second = describeTree(changing);

      const repository = await openRepository(createLocalStore(directory), PASSWORD);
      expect(repository.config.version).toBe(version);
      expect(await errorsOf(repository)).toEqual([]);
      const snapshots = await listSnapshots(repository);
      expect(snapshots.map(({ tags, paths }) => [tags, paths])).toEqual([
        [undefined, [changing]],
        [['second'], [changing]],
      ]);
      for (const [index, tree] of [first, second].entries()) {
        const target = join(testDirectory(), 'target');
        expect((await extract(repository, target, snapshots[index]!.id)).problems).toEqual([]);
        expect(withoutLost(describeTree(restoredAt(target, changing)))).toEqual(withoutLost(tree));
      }
    },
  );

  it.each([1, 2] as const)('each adds a snapshot to a repository that restic made in format %d', async (version) => {
    const directory = join(testDirectory(), 'repository');
    await initialiseWithRestic(directory, version);
    restic(directory, ['backup', planted]);
    const repository = await openRepository(createLocalStore(directory), PASSWORD);
    const { id } = await backUpFiles(repository, [planted]);
    restic(directory, ['backup', planted]);
    resticCheck(directory);
    expect(await errorsOf(repository)).toEqual([]);
    expect(await listSnapshots(repository)).toHaveLength(3);
    const target = join(testDirectory(), 'target');
    restic(directory, ['restore', id, '--target', target]);
    expect(withoutLost(describeTree(restoredAt(target, planted)))).toEqual(withoutLost(expected));
  });

  it('restic adds a snapshot to a repository of ours, and prunes it', async () => {
    const { directory, open } = await newRepository();
    await backUpFiles(await open(), [planted]);
    restic(directory, ['backup', planted]);
    restic(directory, ['forget', '--keep-last', '1', '--group-by', '', '--prune']);
    resticCheck(directory);
    const repository = await open();
    expect(await errorsOf(repository)).toEqual([]);
    expect(await listSnapshots(repository)).toHaveLength(1);
    const target = join(testDirectory(), 'target');
    await extract(repository, target);
    expect(withoutLost(describeTree(restoredAt(target, planted)))).toEqual(withoutLost(expected));
  });

  it('restic opens a repository of ours with a second password, which then opens it here', async () => {
    const { directory } = await newRepository();
    const passwordFile = join(testDirectory(), 'password');
    appendFileSync(passwordFile, 'another one\n');
    restic(directory, ['key', 'add', '--new-password-file', passwordFile]);
    await openRepository(createLocalStore(directory), 'another one');
  });

  it('a lock of ours keeps restic from what needs it alone, and the other way round', async () => {
    const { directory, open } = await newRepository();
    const held = await lockRepository(await open(), { exclusive: false, clock: systemClock });
    const refused = restic(directory, ['prune'], { mayFail: true });
    expect(refused.errorOutput).toContain('repository is already locked');
    await held.release();
    const owner = await lockRepository(await open(), { exclusive: true, clock: systemClock });
    expect(restic(directory, ['backup', planted], { mayFail: true }).errorOutput).toContain('already locked');
    await owner.release();
  });
});
