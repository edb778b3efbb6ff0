import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { MovedClock } from '../../../test/support/moved-clock.ts';
import { testRepository } from '../../../test/support/repository.ts';
import { seal, unseal } from '../../format/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { LEASES_PREFIX } from '../layout.ts';
import { kindOf } from '../mirror/objects.ts';
import { EpochLease, LEASE_MS } from './epoch-lease.ts';

async function place() {
  const memory = new MemoryStore();
  const store = new FaultyStore(memory);
  const repository = await testRepository(store);
  const clock = new MovedClock('2026-03-02T12:00:00Z');
  const take = (isWaiting = false, pause = async (ms: number) => clock.pass(ms)) =>
    EpochLease.take(repository, { clock, pause, name: 'daemon' }, isWaiting);
  const taken = async (): Promise<EpochLease> => {
    const got = await take();
    if (!('lease' in got)) throw new Error('it is held');
    return got.lease;
  };
  /** Lets the store's own clock run ahead for what comes, as if it had been put so long ago. */
  const age = (ms: number): void => {
    for (const [key, object] of memory.objects) {
      if (key.startsWith(LEASES_PREFIX)) memory.objects.set(key, { ...object, modifiedMs: object.modifiedMs - ms });
    }
  };
  return { store, memory, repository, clock, take, taken, age };
}

it('is held by one alone, who is named, until it is given back', async () => {
  const { take, taken } = await place();
  const first = await taken();
  expect(first.epoch).toBe(1);
  expect(await take()).toMatchObject({ holder: { pid: process.pid } });
  await first.release();
  expect(first.isHeld).toBe(false);
  expect((await taken()).epoch).toBe(2);
});

it('is of one of two who take it at the same time', async () => {
  const { take } = await place();
  const both = await Promise.all([take(), take(), take()]);
  expect(both.filter((each) => 'lease' in each)).toHaveLength(1);
});

it('is held no more by who could not renew it in time, and again once that succeeds', async () => {
  const { store, clock, taken } = await place();
  const lease = await taken();
  clock.pass(LEASE_MS - 1);
  expect(lease.isHeld).toBe(true);
  clock.pass(1);
  expect(lease.isHeld).toBe(false);
  store.rule = ({ method }) => (method === 'put' ? 'before' : undefined);
  await expect(lease.renew()).rejects.toMatchObject({ retryable: true });
  expect(lease.isHeld).toBe(false);
  store.rule = () => undefined;
  await lease.renew();
  expect(lease.isHeld).toBe(true);
});

it('is taken over from who shows nothing for long, by the clock of who looks', async () => {
  const { clock, take, taken } = await place();
  const first = await taken();
  let waitedMs = 0;
  const got = await take(true, async (ms) => {
    waitedMs += ms;
    clock.pass(ms);
  });
  expect(got).toHaveProperty('lease');
  expect(waitedMs).toBeGreaterThan(LEASE_MS + 60_000);
  await expect(first.renew()).rejects.toMatchObject({ code: 'lock-lost' });
  expect(first.isHeld).toBe(false);
});

it('is waited for as long as its holder renews it', async () => {
  const { clock, take, taken } = await place();
  const first = await taken();
  let looks = 0;
  const got = await take(true, async () => {
    clock.pass(60_000);
    if (++looks === 20) await first.release();
    else await first.renew();
  });
  expect(looks).toBe(20);
  expect(got).toHaveProperty('lease');
});

it('is taken over at once when it is old by the clock of the store, and not when it is young', async () => {
  const { take, taken, age } = await place();
  await taken();
  age(LEASE_MS);
  expect(await take()).toHaveProperty('holder');
  age(60_001);
  expect(await take()).toHaveProperty('lease');
});

it('is left to a holder that turns out to be alive', async () => {
  const { store, memory, take, taken, age } = await place();
  const first = await taken();
  const key = `${LEASES_PREFIX}daemon/0000000001`;
  const before = memory.objects.get(key)!;
  await first.renew();
  const renewed = memory.objects.get(key)!;
  memory.objects.set(key, before);
  age(2 * LEASE_MS);
  // It has renewed it between the look at it and the put that takes it over.
  store.rule = (call) => {
    if (call.method === 'put' && call.key.endsWith('2')) memory.objects.set(key, renewed);
    return undefined;
  };
  expect(await take()).toMatchObject({ holder: { pid: process.pid } });
  await first.renew();
  expect(first.isHeld).toBe(true);
});

it('is lost to its holder where another one takes it over in the same moment', async () => {
  const { store, take, taken, age } = await place();
  const first = await taken();
  age(2 * LEASE_MS);
  let renewing: Promise<void> | undefined;
  store.rule = ({ method, key }) => {
    if (method === 'put' && key.endsWith('2') && renewing === undefined) renewing = first.renew();
    return undefined;
  };
  const got = await take();
  await Promise.allSettled([renewing]);
  store.rule = () => undefined;
  // Both at once it is never.
  expect('lease' in got && got.lease.isHeld && first.isHeld).toBe(false);
});

it('is held from when its renewal was begun, however long that took', async () => {
  const { store, clock, taken } = await place();
  const lease = await taken();
  store.rule = ({ method }) => {
    if (method === 'put') clock.pass(LEASE_MS - 1);
    return undefined;
  };
  await lease.renew();
  expect(lease.isHeld).toBe(true);
  clock.pass(1);
  expect(lease.isHeld).toBe(false);
});

it('is not taken for given back where a process of another machine has the number of one that is over here', async () => {
  const { repository, memory, take, taken } = await place();
  await taken();
  const [key, { modifiedMs }] = [...memory.objects].find(([name]) => name.startsWith(LEASES_PREFIX))!;
  const pid = spawnSync('true').pid;
  const said = JSON.parse(unseal(repository.key, memory.objects.get(key)!.bytes).toString());
  const write = (lease: object): void => {
    const bytes = seal(repository.key, Buffer.from(JSON.stringify({ ...said, pid, ...lease })));
    memory.objects.set(key, { bytes, modifiedMs });
  };
  write({ machine: 'elsewhere' });
  expect(await take()).toMatchObject({ holder: { pid } });
  write({});
  expect(await take()).toHaveProperty('lease');
});

it('is nobody’s where the store cannot decide who was first', async () => {
  const { store, take } = await place();
  store.capabilities = async () => ({ conditionalPut: false, consistentListing: true });
  await expect(take()).rejects.toMatchObject({ code: 'store-unsuitable' });
});

it('comes to no mirror', () => {
  expect(kindOf(`${LEASES_PREFIX}daemon/0000000001`)).toBeUndefined();
});
