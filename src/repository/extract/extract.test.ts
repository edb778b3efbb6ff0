import { readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  craftSnapshot,
  dataBlob,
  extract,
  noise,
  rawTreeBlob,
  testDirectory,
  testRepository,
  withReader,
  writeFiles,
} from '../../../test/support/repository.ts';
import { noProgress } from '../../foundation/progress.ts';
import { createLocalStore } from '../../store/local/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { loadIndex } from '../indexed.ts';
import { packKey } from '../layout.ts';
import type { Repository } from '../repository.ts';

const FILES: Record<string, Buffer> = {
  empty: Buffer.alloc(0),
  small: Buffer.from('small'),
  large: noise(30_000_000),
  'same as large': noise(30_000_000),
  zeros: Buffer.alloc(20_000_000),
  'zeros, then something': Buffer.concat([Buffer.alloc(12_000_000), Buffer.from('end')]),
  'something, then zeros': Buffer.concat([noise(3_000_000, 'x'), Buffer.alloc(12_000_000)]),
};

describe.each(['local', 'memory'] as const)('a restore from a %s store', (kind) => {
  let repository: Repository;
  let target: string;

  beforeEach(async () => {
    target = join(testDirectory(), 'target');
    repository = await testRepository(kind === 'local' ? createLocalStore(testDirectory()) : new MemoryStore());
  });

  it('brings every byte back, and leaves holes where there are zeros', async () => {
    await writeFiles(repository, FILES);
    await extract(repository, target);
    for (const [name, content] of Object.entries(FILES)) {
      expect(readFileSync(join(target, name)).equals(content), name).toBe(true);
    }
    expect(statSync(join(target, 'zeros')).blocks).toBe(0);
    expect(statSync(join(target, 'zeros, then something')).blocks * 512).toBeLessThan(9_000_000);
  });

  it('ends when it is told to, and says so', async () => {
    await writeFiles(repository, FILES);
    const controller = new AbortController();
    const progress = { ...noProgress, phase: () => controller.abort(new Error('told to')) };
    await expect(
      withReader(repository, (reader) => reader.extract(target, { progress, signal: controller.signal })),
    ).rejects.toThrow('told to');
  });

  it('does not pass one blob off as another that an index puts in the same place', async () => {
    const one = dataBlob('one!');
    const two = dataBlob('two!');
    const node = (name: string, id: string) => ({ name, type: 'file', size: 4, content: [id] });
    await craftSnapshot(repository, [
      one,
      { ...one, claim: { id: two.id, offset: 0 } },
      rawTreeBlob([node('a', one.id), node('b', two.id)]),
    ]);
    await expect(extract(repository, target)).rejects.toMatchObject({ code: 'repository-damaged' });
  });
});

describe('a restore from files of this machine', () => {
  it.each(['missing', 'cut short'])('says which pack is %s as the store says it', async (how) => {
    const directory = testDirectory();
    const repository = await testRepository(createLocalStore(directory));
    await writeFiles(repository, { file: noise(1_000_000) });
    const indexed = await loadIndex(repository);
    const path = await withReader(repository, async (reader) => {
      const [file] = await reader.entries(reader.tree);
      return join(directory, packKey(indexed.locate(file!.content![0]!, 'data').pack));
    });
    if (how === 'missing') rmSync(path);
    else truncateSync(path, 1000);
    await expect(extract(repository, join(testDirectory(), 'target'))).rejects.toMatchObject(
      how === 'missing'
        ? { code: 'object-missing', message: expect.stringContaining('data/') }
        : { code: 'repository-damaged', message: expect.stringContaining('ends before byte') },
    );
  });
});
