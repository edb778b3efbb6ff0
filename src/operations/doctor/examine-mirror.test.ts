import { describe, expect, it } from 'vitest';
import { expectMirrored, lived } from '../../../test/support/lived-mirror.ts';
import { mirroredWorkspace } from '../../../test/support/mirrored.ts';
import { testRepository } from '../../../test/support/repository.ts';
import { withoutDeletion } from '../../../test/support/without-deletion.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import type { ObjectStore } from '../../store/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { examineMirror } from './examine-mirror.ts';

async function findings(main: ObjectStore, eu: ObjectStore): Promise<string[]> {
  const found = await examineMirror(mirroredWorkspace({ main, eu }), 'eu');
  return found.map(({ level, message }) => `${level}: ${message}`);
}

describe('what the doctor says of a mirror', () => {
  it('is whether it is there, is one, and can be brought up to date', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    expect(await findings(main, eu)).toEqual([expect.stringMatching(/^ok: nothing is at .* yet: the next command/)]);
    expect(eu.objects.size).toBe(0);
    await expectMirrored(main, eu);
    const before = [...eu.objects.keys()];
    expect(await findings(main, eu)).toEqual([
      expect.stringMatching(/^ok: there is a copy of main at /),
      'ok: all that is needed is allowed',
    ]);
    expect([...eu.objects.keys()]).toEqual(before);
    const readOnly = new FaultyStore(eu, ({ method }) => (method === 'put' ? 'permission-denied' : undefined));
    expect((await findings(main, readOnly))[1]).toMatch(/^missing: writing objects: /);
    const other = new MemoryStore();
    await testRepository(other);
    expect(await findings(main, other)).toEqual([expect.stringMatching(/^missing: .*another repository lies there/)]);
    const away = new FaultyStore(eu, () => 'before');
    expect(await findings(main, away)).toEqual([expect.stringMatching(/^missing: /)]);
    // A disk that is not mounted.
    expect(await findings(main, new MemoryStore())).toEqual([
      expect.stringMatching(/^missing: nothing is at .* where/),
    ]);
    // What keeps the primary from being opened is told of that.
    expect(await findings(new MemoryStore(), eu)).toHaveLength(2);
  });

  it('is beforehand what becomes of it where its credentials may not delete', async () => {
    const [main, eu] = [new MemoryStore(), new MemoryStore()];
    await lived(main);
    await expectMirrored(main, eu);
    expect(await findings(main, withoutDeletion(eu))).toEqual([
      expect.stringMatching(/^ok: /),
      expect.stringMatching(/^warning: deleting objects: a run of this mirror does without, .*: cannot delete/),
    ]);
  });
});
