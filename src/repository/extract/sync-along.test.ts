import { setTimeout } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { SyncTeller, shareToSync, syncAlong } from './sync-along.ts';

const MiB = 1 << 20;
const files = {
  count: 3,
  sizeBytes: (file: number): number => [100 * MiB, 9 * MiB, 1000][file]!,
  path: (file: number): Buffer => Buffer.from(`/file-${file}`),
};

function syncInMemory(shared = shareToSync(files), isHeld = Promise.resolve()) {
  const synced: string[] = [];
  const end = syncAlong(files, shared, async (path) => {
    synced.push(path.toString());
    await isHeld;
  });
  onTestFinished(end);
  return { synced, end };
}

it('syncs a file once eight mebibytes of it are written, by one thread or another, and at its end', async () => {
  const shared = shareToSync(files);
  const { synced } = syncInMemory(shared);
  const [one, other] = [new SyncTeller(shared), new SyncTeller(shared)];
  one.written(0, 5 * MiB);
  other.written(0, 5 * MiB);
  one.written(2, 1000);
  one.finished(2);
  await setTimeout(100);
  expect(synced).toEqual([]);
  one.written(0, 3 * MiB);
  await vi.waitFor(() => expect(synced).toEqual(['/file-0']));
  other.finished(0);
  await vi.waitFor(() => expect(synced).toEqual(['/file-0', '/file-0']));
});

it('syncs once what was told several times meanwhile', async () => {
  const shared = shareToSync(files);
  const teller = new SyncTeller(shared);
  for (let at = 0; at < 10; at++) teller.written(0, 8 * MiB);
  teller.written(1, 8 * MiB);
  const { synced } = syncInMemory(shared);
  await vi.waitFor(() => expect(synced).toHaveLength(2));
  await setTimeout(60);
  expect(synced).toEqual(['/file-0', '/file-1']);
});

it('tells no more than there is room for, as of a file that is filled again', () => {
  const shared = shareToSync(files);
  const teller = new SyncTeller(shared);
  for (let at = 0; at < 100; at++) teller.written(1, 8 * MiB);
  expect([...shared.told]).toEqual(shared.told.length === 16 ? Array(16).fill(2) : undefined);
});

it('ends once what is synced is over, and syncs nothing any more', async () => {
  const shared = shareToSync({ ...files, count: 3 });
  const teller = new SyncTeller(shared);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  for (const file of [0, 1, 2]) teller.written(file, 8 * MiB);
  const { synced, end } = syncInMemory(shared, held);
  await vi.waitFor(() => expect(synced).toHaveLength(2));
  let hasEnded = false;
  const ending = end().then(() => {
    hasEnded = true;
  });
  await setTimeout(30);
  expect(hasEnded).toBe(false);
  release();
  await ending;
  expect(synced).toEqual(['/file-0', '/file-1']);
});

it('fails where a file cannot be synced', async () => {
  const shared = shareToSync(files);
  new SyncTeller(shared).written(0, 8 * MiB);
  const end = syncAlong(files, shared);
  await setTimeout(50);
  await expect(end()).rejects.toThrow(/ENOENT/);
});
