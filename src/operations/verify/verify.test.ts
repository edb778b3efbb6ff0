import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { mirroredWorkspace, plannedFiles } from '../../../test/support/mirrored.ts';
import { noise, testDirectory, testRepository } from '../../../test/support/repository.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Source } from '../../source/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { backup, verify } from '../index.ts';

describe('a proof', () => {
  const directory = testDirectory();
  const main = new MemoryStore();
  const living = () => mirroredWorkspace({ main }, plannedFiles('docs', directory));

  beforeAll(async () => {
    writeFileSync(join(directory, 'file'), noise(1000));
    await testRepository(main);
    expect(await backup(living(), [])).toMatchObject([{ outcome: 'complete' }]);
  });

  /** Verifies with a source that does some of its work in another way. */
  async function proven(change: (source: Source) => Partial<Source> = () => ({})) {
    const workspace = living();
    const { adapters } = workspace.environment;
    const createSource: typeof adapters.createSource = async (...given) => {
      const source = await adapters.createSource(...given);
      const work = ['restore', 'validate', 'examine', 'capture', 'compare'] as const;
      const bound = Object.fromEntries(work.map((name) => [name, (source[name] as () => unknown).bind(source)]));
      return { name: source.name, type: source.type, ...bound, ...change(source) } as Source;
    };
    Object.assign(workspace.environment, { adapters: { ...adapters, createSource } });
    const { proofs, failures } = await verify(workspace, { sources: ['docs'] });
    expect(failures).toEqual([]);
    const events = await (await workspace.open('main')).ledger.read();
    const recorded = events.findLast(({ kind }) => kind === 'proof.recorded');
    expect(recorded?.body).toMatchObject({ state: proofs[0]!.state, checksFailed: proofs[0]!.checksFailed });
    return proofs[0];
  }

  const validates = (result: 'failed' | 'not-provable') => (source: Source) => ({
    validate: async (...given: Parameters<Source['validate']>) => {
      const validation = await source.validate(...given);
      return { ...validation, checks: [...validation.checks, { name: 'rows', result, detail: 'as it was told' }] };
    },
  });
  const restoreFails = (error: Error) => () => ({ restore: () => Promise.reject(error) });

  it('is that everything came back and was found right', async () => {
    expect(await proven()).toMatchObject({ state: 'proven', checksFailed: [] });
  });

  it('is none where something did not come back, though all else is right', async () => {
    const problems = [{ path: '/lost', message: 'it cannot be made' }];
    const restored = await proven((source) => ({
      restore: async (...given) => ({ ...(await source.restore(...given)), problems }),
    }));
    expect(restored).toMatchObject({ state: 'failed', checksFailed: ['restore /lost'] });
  });

  it('names some of many things that did not come back, and says how many there are', async () => {
    const problems = Array.from({ length: 1021 }, (_, number) => ({ path: `/lost/${number}`, message: 'it is gone' }));
    const restored = await proven((source) => ({
      restore: async (...given) => ({ ...(await source.restore(...given)), problems }),
    }));
    expect(restored?.checksFailed).toEqual([...problems.slice(0, 20).map(({ path }) => `restore ${path}`), 'restore']);
    expect(restored?.checks).toContainEqual({ name: 'restore', result: 'failed', detail: 'and 1,001 more like these' });
  });

  it('is none where a check failed, or could not be made', async () => {
    expect(await proven(validates('failed'))).toMatchObject({ state: 'failed', checksFailed: ['rows'] });
    expect(await proven(validates('not-provable'))).toMatchObject({ state: 'not-provable', checksFailed: [] });
  });

  it('is none where the restore itself fails, by the backup or for want of something here', async () => {
    const broken = restoreFails(new HoldfastError('repository-damaged', 'a pack is gone'));
    expect(await proven(broken)).toMatchObject({ state: 'failed', checksFailed: ['restore'] });
    const missing = restoreFails(new HoldfastError('not-provable', 'no server of version 99 is here'));
    expect(await proven(missing)).toMatchObject({ state: 'not-provable', reason: 'no server of version 99 is here' });
  });
});
