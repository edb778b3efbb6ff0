import { describe, expect, it } from 'vitest';
import { betweenCalls } from '../../../test/support/between-calls.ts';
import { noise, PASSWORD, testRepository, writeFiles } from '../../../test/support/repository.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { openRepository } from '../repository.ts';
import { takeStock } from './stock.ts';

describe('taking stock', () => {
  it('never half sees a backup that comes in between, at whichever of its steps', async () => {
    for (let step = 0, steps = 1; step < steps; step++) {
      const inner = new MemoryStore();
      const repository = await testRepository(inner);
      await writeFiles(repository, { first: noise(1000, 1) });
      let calls = -Infinity;
      let backup: Promise<unknown> | undefined;
      const between = async (): Promise<void> => {
        if (calls++ === step) backup = writeFiles(repository, { second: noise(1000, 2) });
        await backup;
      };
      const observed = await openRepository(betweenCalls(inner, between), PASSWORD);
      calls = 0;
      const { snapshots, packs, sizes } = await takeStock(observed);
      steps = calls;
      const indexed = new Set(packs.flatMap(({ blobs }) => blobs.map(({ id }) => id)));
      for (const { tree } of snapshots) expect(indexed, `step ${step}`).toContain(tree);
      for (const { id } of packs) expect([...sizes.keys()], `step ${step}`).toContain(id);
    }
  });
});
