/** A repository that has lived for a while, and mirrors of it. */

import { expect } from 'vitest';
import { decodeIndexFile } from '../../src/format/index.ts';
import { type MirrorOutcome, replicate, type Workspace } from '../../src/operations/index.ts';
import { openRepository, type Repository } from '../../src/repository/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { cloneStore, segments, writeTail } from './log.ts';
import { mirroredWorkspace } from './mirrored.ts';
import { errorsOf, noise, PASSWORD, testRepository, writeFiles } from './repository.ts';

export const OPTIONS = { packSizeBytes: 1 << 16 };

/** What a mirror is to be: all that the primary has but its locks. */
export function contentOf({ objects }: MemoryStore): Record<string, string> {
  const entries = [...objects].filter(([key]) => !key.startsWith('locks/'));
  return Object.fromEntries(entries.map(([key, { bytes }]) => [key, Buffer.from(bytes).toString('base64')]).sort());
}

export async function mirrored(main: ObjectStore, eu: ObjectStore, workspace?: Workspace): Promise<MirrorOutcome> {
  return (await replicate(workspace ?? mirroredWorkspace({ main, eu }), []))[0]!;
}

export async function expectMirroredBy(workspace: Workspace): Promise<void> {
  expect(await replicate(workspace, [])).toMatchObject([{ outcome: 'complete' }]);
}

export async function expectMirrored(main: ObjectStore, eu: ObjectStore): Promise<MirrorOutcome> {
  const outcome = await mirrored(main, eu);
  expect(outcome).toMatchObject({ outcome: 'complete' });
  return outcome;
}

/** That nothing in a mirror refers to something that is not there, whatever else it lacks. */
export async function expectWhole(store: MemoryStore): Promise<void> {
  if (!store.objects.has('config'))
    return expect([...store.objects.keys()].filter((key) => !key.startsWith('keys/'))).toEqual([]);
  const repository = await openRepository(store, PASSWORD);
  expect(await errorsOf(repository, false)).toEqual([]);
  await mirroredWorkspace({ main: store })
    .open('main')
    .then(({ ledger }) => ledger.read());
  for (const key of await repository.documentKeys('index/')) {
    for (const { id } of decodeIndexFile(await repository.getDocument(key)).packs) {
      expect(store.objects.has(`data/${id.slice(0, 2)}/${id}`)).toBe(true);
    }
  }
}

/** A repository with snapshots, a log's tail and a ledger, made once: each test has a copy of its own. */
let original: Promise<MemoryStore> | undefined;

export async function lived(store = new MemoryStore()): Promise<Repository> {
  original ??= makeLived();
  for (const [key, object] of cloneStore(await original).objects) store.objects.set(key, object);
  return openRepository(store, PASSWORD);
}

export async function makeLived(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const repository = await testRepository(store);
  for (const round of [1, 2]) {
    await writeFiles(repository, { large: noise(200_000, round), small: Buffer.from(`round ${round}`) }, OPTIONS);
  }
  await writeTail(repository, segments(0, 1.5));
  const { ledger } = await mirroredWorkspace({ main: store }).open('main');
  await ledger.append('key.added', { repository: 'main', key: 'a' });
  await ledger.append('key.added', { repository: 'main', key: 'b' });
  return store;
}
