import { describe, expect, it } from 'vitest';
import { RecoveryWorld, type Working } from '../../../test/support/recovery.ts';
import { LEASES_PREFIX } from '../../repository/layout.ts';
import { RunRecord } from './run-record.ts';
import { Sole, whoRuns } from './sole.ts';

const MINUTE_MS = 60_000;
const STEP_MS = 15_000;

describe('who runs an incident alone', () => {
  async function place(mirrors: string[] = []) {
    const world = await RecoveryWorld.of(['{ id: a, do: note, text: x }'], { mirrors });
    const ending = new AbortController();
    const pause = (ms: number): Promise<void> => world.time.pause(ms, ending.signal);
    const take = (working: Working = world.process(), isAlone = false) =>
      world.time.run(
        Sole.take({
          ...{ run: 'r', record: new RunRecord(working.workspace), clock: world.time, isAlone, isResumed: true },
          pause,
        }),
      );
    /** In short steps, so that what comes at each of them is over before the next. */
    const pass = async (ms: number): Promise<void> => {
      for (let passedMs = 0; passedMs < ms; passedMs += STEP_MS) await world.time.run(world.time.pause(STEP_MS));
    };
    return { world, take, pass, pause, ending };
  }

  it('begins nothing once it could not show for three minutes that it is there, and says why', async () => {
    const { world, take, pass, pause, ending } = await place();
    const working = world.process();
    const sole = await take(working);
    const kept = sole.keep(pause).catch((error: unknown) => error);
    await pass(10 * MINUTE_MS);
    expect(() => sole.assertHeld()).not.toThrow();
    working.stores['main']!.rule = () => 'before';
    await pass(2 * MINUTE_MS);
    expect(() => sole.assertHeld()).not.toThrow();
    await pass(2 * MINUTE_MS);
    expect(() => sole.assertHeld()).toThrow(
      expect.objectContaining({
        code: 'store-unreachable',
        message: expect.stringMatching(/three minutes.*made to fail/),
      }),
    );
    working.stores['main']!.rule = () => undefined;
    await pass(MINUTE_MS);
    expect(() => sole.assertHeld()).not.toThrow();
    ending.abort(new Error('over'));
    expect(await kept).toMatchObject({ message: 'over' });
  });

  it('ends when another one has taken over meanwhile, who is named as such', async () => {
    const { world, take, pause } = await place();
    const sole = await take();
    await expect(take()).rejects.toMatchObject({ code: 'incident-running' });
    await expect(take(world.process(), true)).rejects.toMatchObject({ code: 'incident-running' });
    world.expireLeases();
    const other = await take();
    await expect(world.time.run(sole.keep(pause))).rejects.toMatchObject({ code: 'incident-running' });
    expect(() => other.assertHeld()).not.toThrow();
  });

  it('is known by a mirror too, where it went on while the repository was away from it', async () => {
    const { world, take, pass, pause, ending } = await place(['eu']);
    const working = world.process();
    const sole = await take(working);
    const kept = sole.keep(pause).catch((error: unknown) => error);
    working.stores['main']!.rule = () => 'before';
    const leases = (name: string) =>
      [...world.memories[name]!.objects].filter(([key]) => key.startsWith(LEASES_PREFIX));
    await expect.poll(() => pass(STEP_MS).then(() => leases('eu').length), { timeout: 20_000 }).toBe(1);
    // In the repository its lease has run out by then.
    for (const [key, object] of leases('main')) world.memories['main']!.objects.set(key, { ...object, modifiedMs: 0 });
    await expect(take()).rejects.toMatchObject({ code: 'incident-running' });
    const looking = { run: 'r', record: new RunRecord(world.process().workspace), clock: world.time };
    expect(await whoRuns({ ...looking, pause: world.pauseFor(ending.signal) })).toBe('a process');
    ending.abort(new Error('over'));
    await kept;
    await world.time.run(sole.release());
    expect(await whoRuns({ ...looking, pause: world.pauseFor(ending.signal) })).toBe('nobody');
    await expect(take()).resolves.toBeDefined();
  });

  it('is asked of a person where the one before may be at it by a mirror that cannot be seen from here', async () => {
    const { world, take, ending } = await place(['eu']);
    await take();
    const apart = (): Working => {
      const working = world.process();
      working.stores['eu']!.rule = () => 'before';
      return working;
    };
    await expect(take(apart())).rejects.toMatchObject({ code: 'incident-running' });
    world.expireLeases();
    const refused = { code: 'store-unsuitable', message: expect.stringMatching(/mirror eu.*made to fail/) };
    await expect(take(apart())).rejects.toMatchObject(refused);
    await expect(take(apart())).rejects.toMatchObject(refused);
    // Who sees both copies sees that nobody is at it, and who ended it has said so.
    await world.time.run((await take()).release());
    await world.time.run((await take(apart())).release());
    world.expireLeases();
    await expect(take(apart(), true)).resolves.toBeDefined();
    ending.abort(new Error('over'));
  });
});
