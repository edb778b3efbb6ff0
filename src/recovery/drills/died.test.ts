import { expect, it } from 'vitest';
import { RecoveryWorld, stalled } from '../../../test/support/recovery.ts';
import { LEASES_PREFIX } from '../../repository/layout.ts';
import { RunRecord } from '../engine/run-record.ts';
import { closeDiedDrills } from './died.ts';
import { holdDrill } from './hold-drill.ts';

async function place() {
  const world = await RecoveryWorld.of(['{ id: a, do: note, text: x, drill: run }']);
  const drilling = world.process();
  const hold = () => {
    const pauseFor = (signal: AbortSignal) => world.pauseFor(signal);
    return holdDrill(drilling.workspace, { runbook: 'it' }, { clock: world.time, pauseFor });
  };
  const close = () => world.time.run(closeDiedDrills(world.process().workspace));
  const started = async () => {
    const events = await world.time.run(new RunRecord(world.process().workspace).read());
    return events.filter(({ kind }) => kind === 'drill.started').length;
  };
  return { world, drilling, hold, close, started };
}

it('takes no drill for dead that has only begun, however long that takes', async () => {
  const { world, drilling, hold, close, started } = await place();
  const lease = stalled(drilling, LEASES_PREFIX);
  const held = hold();
  await world.time.run(lease.reached);
  await world.time.run(world.time.pause(60_000));
  expect([await started(), await close()]).toEqual([0, []]);
  const step = stalled(drilling, 'holdfast/claims/');
  lease.wake();
  await world.time.run(step.reached);
  await world.time.run(world.time.pause(60_000));
  expect([await started(), await close()]).toEqual([1, []]);
  step.wake();
  expect((await world.time.run(held)).ended?.outcome).not.toBe('died');
});

it('takes no drill for dead that ends while somebody looks who runs it', async () => {
  const { world, drilling, hold } = await place();
  const step = stalled(drilling, 'holdfast/claims/');
  const held = hold();
  await world.time.run(step.reached);
  const looking = world.process();
  const { main } = looking.stores;
  const list = main!.list.bind(main);
  const [reached, woken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  main!.list = async function* (prefix) {
    if (prefix.startsWith(LEASES_PREFIX)) {
      reached.resolve();
      await woken.promise;
    }
    yield* list(prefix);
  };
  const closed = closeDiedDrills(looking.workspace);
  await world.time.run(reached.promise);
  step.wake();
  expect((await world.time.run(held)).ended?.outcome).not.toBe('died');
  woken.resolve();
  expect(await world.time.run(closed)).toEqual([]);
});

it('takes one for dead at once whose process is gone', async () => {
  const { world, drilling, hold, close } = await place();
  const step = stalled(drilling, 'holdfast/claims/');
  const held = hold().catch((error: unknown) => error);
  await world.time.run(step.reached);
  // Before anything else: it would renew its lease as long as it lives.
  drilling.kill();
  world.expireLeases();
  expect(await close()).toHaveLength(1);
  step.wake();
  await world.time.run(held);
});
