import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mirroredWorkspace, plannedFiles } from '../../../test/support/mirrored.ts';
import { testDirectory, testRepository } from '../../../test/support/repository.ts';
import { RoundTrips } from '../../../test/support/round-trips.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { backup } from './backup.ts';

const BEFORE = 10;

it('waits for nothing of the backups before once its own snapshot is stored', async () => {
  const store = new MemoryStore();
  await testRepository(store);
  const directory = testDirectory();
  const backUp = async (trips: RoundTrips) => {
    writeFileSync(join(directory, 'file'), `${Math.random()}`);
    const workspace = mirroredWorkspace({ main: trips.to(store) }, plannedFiles('files', directory));
    expect(await backup(workspace, [])).toMatchObject([{ outcome: 'complete' }]);
  };
  // More than are read to find the one that it builds on.
  for (let before = 0; before < BEFORE; before++) await backUp(new RoundTrips());
  const trips = new RoundTrips();
  await backUp(trips);
  const calls = trips.asked.flat();
  const stored = calls.findLastIndex((call) => call.startsWith('put snapshots/'));
  expect(calls.slice(0, stored).filter((call) => call.startsWith('get snapshots/'))).toHaveLength(BEFORE);
  expect(calls.slice(stored).filter((call) => call.startsWith('get snapshots/'))).toEqual([]);
});

it('is no failure where a backup before could not be read for a moment', async () => {
  const store = new MemoryStore();
  await testRepository(store);
  const directory = testDirectory();
  const backUp = async () => {
    writeFileSync(join(directory, 'file'), `${Math.random()}`);
    return backup(mirroredWorkspace({ main: store }, plannedFiles('files', directory)), []);
  };
  const oldest = (await backUp())[0] as { snapshot: string };
  for (let before = 1; before < BEFORE; before++) await backUp();
  const get = store.get.bind(store);
  let failures = 0;
  store.get = async (key, ...how) => {
    if (key !== `snapshots/${oldest.snapshot}` || failures++ > 0) return get(key, ...how);
    throw new HoldfastError('store-failed', 'the store is busy');
  };
  expect(await backUp()).toMatchObject([{ outcome: 'complete' }]);
  expect(failures).toBe(2);
});
