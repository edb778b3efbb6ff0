import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { Driver } from '../../src/daemon/drive.ts';
import { DUTIES } from '../../src/daemon/duties.ts';
import { createLog } from '../../src/daemon/json-log.ts';
import { keptDuties } from '../../src/daemon/kept-duty.ts';
import type { LogFields } from '../../src/daemon/log.ts';
import { Sole } from '../../src/daemon/sole.ts';
import type { Work } from '../../src/daemon/work/work.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import { pauseUntilAborted } from '../../src/foundation/pause.ts';
import { settled } from '../../src/foundation/promises.ts';
import { adapters } from '../../src/main/adapters.ts';
import { Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { createLocalSandbox } from '../../src/sandbox/local/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { DecoratedStore, type ObjectStore } from '../../src/store/index.ts';
import { DaemonPlace, silentLog } from '../support/daemon.ts';

const SOURCES = { db: 'hourly', crm: 'daily at 02:00' };
const START = '2026-03-02T10:30:00Z';

/** Does nothing, and says what it was asked for. */
function noted(fails: () => HoldfastError | undefined = () => undefined) {
  const done: string[] = [];
  const backup: Work = async (_workspace, { subject, due }) => {
    done.push(`${subject} ${due?.slice(5, 16)}`);
    const error = fails();
    return error === undefined ? { outcome: 'done' } : { outcome: 'failed', error };
  };
  return { done, work: { backup } };
}

const unreachable = (): HoldfastError => new HoldfastError('store-unreachable', 'it is away', { retryable: true });

describe('a daemon', () => {
  it('that was down for a day backs up each source once, and says what was missed', async () => {
    const place = await DaemonPlace.with(START, SOURCES);
    const before = noted();
    const first = await place.daemon({ work: before.work });
    await place.run(first, '2026-03-02T11:30:00Z');
    await first.stop('over');
    expect(before.done).toEqual(['db 03-02T10:30', 'crm 03-02T10:30', 'db 03-02T11:00']);

    place.clock.passUntil('2026-03-03T11:45:00Z');
    const after = noted();
    const second = await place.daemon({ work: after.work });
    await place.settle(second);
    expect(after.done.sort()).toEqual(['crm 03-03T02:00', 'db 03-03T11:00']);
    expect(await place.bodies('run.missed')).toEqual([
      {
        task: 'backup:db',
        from: '2026-03-02T12:00:00.000Z',
        to: '2026-03-03T11:00:00.000Z',
        count: 24,
        reason: 'away',
      },
      {
        task: 'backup:crm',
        from: '2026-03-03T02:00:00.000Z',
        to: '2026-03-03T02:00:00.000Z',
        count: 1,
        reason: 'away',
      },
    ]);
    // Nothing is made up for twice.
    await place.run(second, '2026-03-03T12:30:00Z');
    expect(after.done).toHaveLength(3);
    expect(await place.bodies('run.missed')).toHaveLength(2);
    await second.stop('over');
  });

  it('tries what fails again, later each time, until the next moment, and is done with it when it succeeds', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    let isAway = true;
    const { done, work } = noted(() => (isAway ? unreachable() : undefined));
    const lines: string[] = [];
    const log = createLog({ format: 'json', clock: place.clock, write: (line) => lines.push(line) });
    const daemon = await place.daemon({ work, log });
    await place.run(daemon, '2026-03-02T12:10:00Z');
    expect(lines.map((line) => JSON.parse(line))).toContainEqual(
      expect.objectContaining({ message: 'run finished', outcome: 'failed', error: 'it is away' }),
    );
    const ofNoon = done.filter((each) => each === 'db 03-02T12:00').length;
    expect(done.filter((each) => each === 'db 03-02T11:00').length).toBeGreaterThanOrEqual(5);
    expect(ofNoon).toBeGreaterThanOrEqual(3);
    isAway = false;
    await place.run(daemon, '2026-03-02T12:59:00Z');
    expect(done.filter((each) => each === 'db 03-02T12:00').length).toBe(ofNoon + 1);
    const finished = await place.bodies('run.finished');
    expect(finished.at(-2)).toMatchObject({ outcome: 'failed', code: 'store-unreachable', message: 'it is away' });
    expect(finished.at(-1)).toMatchObject({ outcome: 'done' });
    expect(await place.bodies('run.missed')).toEqual([]);
    await daemon.stop('over');
  });

  it('keeps what it did while the ledger cannot be written, and writes it in order when it can', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    const { done, work } = noted();
    let isAway: 'before' | 'disk-full' | undefined;
    const faulty = (store: FaultyStore['inner']) =>
      new FaultyStore(store, ({ method }) => (method === 'put' ? isAway : undefined));
    const daemon = await place.daemon({ work, environment: place.environmentWith(faulty) });
    await place.run(daemon, '2026-03-02T11:10:00Z');
    for (const fault of ['before', 'disk-full'] as const) {
      isAway = fault;
      const before = (await place.bodies('run.started')).length;
      await place.run(daemon, new Date(place.clock.nowMs() + 2 * 3_600_000).toISOString());
      expect(daemon.record.unwritten).toBe(4);
      expect(await place.bodies('run.started')).toHaveLength(before);
      isAway = undefined;
      await place.settle(daemon);
      expect(daemon.record.unwritten).toBe(0);
    }
    await daemon.stop('over');
    const runs = (await place.events()).flatMap(({ kind, body }) =>
      kind === 'run.started' ? [body.due?.slice(11, 16)] : kind === 'run.finished' ? [body.outcome] : [],
    );
    expect(done).toHaveLength(6);
    expect(runs).toEqual(['10:30', '11:00', '12:00', '13:00', '14:00', '15:00'].flatMap((due) => [due, 'done']));
  });

  it('that dies while the repository is away has left in the journal what it did', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    const { done, work } = noted();
    let isAway = false;
    const stateDirectory = join(place.directory, 'state');
    const faulty = (store: FaultyStore['inner']) => new FaultyStore(store, () => (isAway ? 'before' : undefined));
    const environment = { ...place.environmentWith(faulty), stateDirectory };
    const daemon = await place.daemon({ work, environment });
    await place.run(daemon, '2026-03-02T10:40:00Z');
    isAway = true;
    await place.run(daemon, '2026-03-02T12:10:00Z');
    expect(daemon.record.unwritten).toBe(0);
    expect(done).toHaveLength(3);
    isAway = false;
    const next = await place.daemon({ work, environment });
    await place.run(next, '2026-03-02T12:59:00Z');
    await next.stop('over');
    expect(done).toHaveLength(3);
    expect(await place.bodies('run.finished')).toHaveLength(3);
    expect(await place.bodies('run.died')).toEqual([]);
  });

  it('goes on when its clock is set back or on by an hour or by a year', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    const { done, work } = noted();
    const daemon = await place.daemon({ work });
    await place.run(daemon, '2026-03-02T12:30:00Z');
    for (const [moment, until] of [
      ['2026-03-02T11:30:00Z', '2026-03-02T12:10:00Z'],
      ['2026-03-02T14:10:00Z', '2026-03-02T15:10:00Z'],
      ['2025-03-02T15:10:00Z', '2025-03-02T16:10:00Z'],
      ['2026-03-02T16:10:00Z', '2026-03-02T17:10:00Z'],
    ] as const) {
      done.length = 0;
      place.clock.set(moment);
      await place.run(daemon, until);
      const made = moment.startsWith('2025') || moment.includes('11:30') ? [] : [`db ${moment.slice(5, 13)}:00`];
      expect(done).toEqual([...made, `db ${until.slice(5, 13)}:00`]);
    }
    const missed = await place.bodies('run.missed');
    expect(missed.map(({ count }) => count)).toEqual([2, 400]);
    await daemon.stop('over');
  });

  it('goes by the plan that it loaded while the file is removed, broken and changed, and records each once', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    const { done, work } = noted();
    const load = () => loadPlan({ cwd: place.directory, env: {} });
    const daemon = await place.daemon({ work, load });
    const path = join(place.directory, 'holdfast.yaml');
    const text = readFileSync(path, 'utf8');
    const later = async (hours: number) => {
      await place.run(daemon, new Date(place.clock.nowMs() + hours * 3_600_000).toISOString());
    };
    renameSync(path, `${path}.away`);
    await later(2);
    await expect(daemon.reload()).rejects.toMatchObject({ code: 'plan-not-found' });
    writeFileSync(path, 'version: 1\nname: [');
    await later(2);
    await expect(daemon.reload()).rejects.toMatchObject({ code: 'plan-invalid' });
    place.plan({ db: 'hourly', more: 'hourly' });
    await later(2);
    expect(done.some((each) => each.startsWith('more'))).toBe(false);
    expect(done).toHaveLength(7);
    await daemon.reload();
    await later(1);
    expect(done.filter((each) => each.startsWith('more'))).toHaveLength(2);
    place.plan({ more: 'every 2h' });
    await daemon.reload();
    done.length = 0;
    await later(4);
    expect(done.map((each) => each.slice(0, 4))).toEqual(['more', 'more']);
    writeFileSync(path, text);
    await daemon.stop('over');
    expect((await place.bodies('plan.differs')).map(({ state }) => state)).toEqual(['removed', 'broken', 'changed']);
    expect((await place.bodies('plan.refused')).map(({ problems }) => problems.length)).toEqual([1, 1]);
    expect((await place.bodies('tasks.changed')).map(({ planned, removed }) => [planned.length, removed])).toEqual([
      [1, []],
      [1, []],
      [1, ['backup:db']],
    ]);
    rmSync(`${path}.away`);
  });

  it('records a duty that fails once for each way in which it does, and that it is done again', async () => {
    const place = await DaemonPlace.with(START, { db: 'daily' });
    const outcomes = [undefined, 'timed-out', 'timed-out', 'channel-failed', undefined, undefined] as const;
    let times = 0;
    const duty = {
      name: 'looking',
      nextMs: (nowMs: number) => Math.ceil((nowMs + 1) / 60_000) * 60_000,
      run: async () => {
        const code = outcomes[times++];
        if (code !== undefined) throw new HoldfastError(code, 'on purpose');
      },
    };
    const from = Date.parse(START);
    let wantedMs = from;
    const daemon = await place.daemon({
      work: {},
      duties: [() => [{ ...duty, nextMs: () => wantedMs, run: () => duty.run().finally(() => (wantedMs += 60_000)) }]],
    });
    await place.run(daemon, new Date(from + 5.5 * 60_000).toISOString());
    await daemon.stop('over');
    expect(times).toBe(6);
    expect((await place.bodies('duty.failed')).map(({ code }) => code)).toEqual(['timed-out', 'channel-failed']);
    expect(await place.bodies('duty.recovered')).toEqual([{ duty: 'looking' }]);
  });
});

describe('a daemon that goes on', () => {
  it('says of a duty that failed in a process before it that it is done again, or that the plan has it no more', async () => {
    const place = await DaemonPlace.with(START, { db: 'daily' });
    const duty = (name: string, fails = false) => ({
      name,
      nextMs: (nowMs: number) => nowMs + Number(nowMs > Date.parse(START) + 60_000) * 60_000,
      run: async () => {
        if (fails) throw new HoldfastError('watch-failed', 'on purpose');
        place.clock.pass(60_001);
      },
    });
    const first = await place.daemon({ work: {}, duties: [() => [duty('a', true), duty('b', true)]] });
    await first.tick();
    await first.idle();
    await first.stop('over');
    expect((await place.bodies('duty.failed')).map((each) => each.duty)).toEqual(['a', 'b']);
    const load = () => loadPlan({ cwd: place.directory, env: {} });
    let names = ['a', 'b'];
    const second = await place.daemon({
      work: {},
      load,
      duties: [() => names.map((name) => duty(name, name === 'b'))],
    });
    await second.tick();
    await second.idle();
    expect(await place.bodies('duty.recovered')).toEqual([{ duty: 'a' }]);
    expect(await place.bodies('duty.failed')).toHaveLength(2);
    names = ['a'];
    await second.reload();
    await second.stop('over');
    expect(await place.bodies('duty.recovered')).toEqual([{ duty: 'a' }, { duty: 'b' }]);
  });

  it('has its duties done as often as they want to be, though nothing else happens', async () => {
    const place = await DaemonPlace.with(START, { db: 'monthly' });
    const ending = new AbortController();
    const pause = pauseUntilAborted(ending.signal);
    const driver = new Driver(systemClock, (ms) => settled(pause(ms)));
    let [times, nextMs] = [0, 0];
    const run = async (nowMs: number) => {
      nextMs = nowMs + 20;
      await settled(pause(20));
      if (++times === 5) ending.abort();
    };
    const daemon = await place.daemon({
      ...{ work: {}, environment: { ...place.environment, clock: systemClock }, woken: driver.wake },
      duties: [() => [{ name: 'often', nextMs: () => nextMs, run }]],
    });
    await driver.run(daemon, ending.signal);
    expect(times).toBe(5);
    await daemon.stop('over');
  }, 20_000);

  it('does again within minutes what it does daily, where that failed', async () => {
    const place = await DaemonPlace.with(START, { db: 'monthly' });
    let isAway = false;
    const environment = place.environmentWith((store) => new FaultyStore(store, () => (isAway ? 'before' : undefined)));
    const daemon = await place.daemon({ work: {}, environment, duties: DUTIES });
    isAway = true;
    await daemon.tick();
    await daemon.idle();
    isAway = false;
    await place.run(daemon, '2026-03-02T10:36:00Z');
    await daemon.stop('over');
    const forecast = { duty: 'forecast of recovery times' };
    expect(await place.bodies('duty.failed')).toContainEqual(expect.objectContaining(forecast));
    expect(await place.bodies('duty.recovered')).toContainEqual(forecast);
  });

  it('does not look without a pause while neither the ledger nor the journal can be written', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    let isAway = false;
    const stateDirectory = join(place.directory, 'state');
    const faulty = (store: FaultyStore['inner']) => new FaultyStore(store, () => (isAway ? 'before' : undefined));
    const environment = { ...place.environmentWith(faulty), stateDirectory };
    const daemon = await place.daemon({ work: noted().work, environment });
    await place.run(daemon, '2026-03-02T10:40:00Z');
    isAway = true;
    await place.run(daemon, '2026-03-02T11:05:00Z');
    rmSync(stateDirectory, { recursive: true });
    writeFileSync(stateDirectory, 'in the way');
    await daemon.ask('backup', 'db');
    await daemon.idle();
    place.clock.pass(31_000);
    await daemon.tick();
    expect(daemon.record.unwritten).toBeGreaterThan(0);
    expect(daemon.nextMs()).toBeGreaterThan(place.clock.nowMs());
    await daemon.stop('over');
  });

  it('has nothing done by a plan for what the plan has no more, though it was due as the plan was loaded', async () => {
    const place = await DaemonPlace.with(START, SOURCES);
    const first = await place.daemon({ work: noted().work });
    await place.run(first, '2026-03-02T11:30:00Z');
    await first.stop('over');
    place.clock.passUntil('2026-03-03T11:45:00Z');
    const strange: string[] = [];
    const backup: Work = async ({ plan }, { subject }) => {
      if (!plan.sources.has(subject)) strange.push(subject);
      return { outcome: 'done' };
    };
    const load = () => loadPlan({ cwd: place.directory, env: {} });
    const daemon = await place.daemon({ work: { backup }, load });
    const ticking = daemon.tick();
    place.plan({ db: 'hourly' });
    await Promise.all([ticking, daemon.reload()]);
    await place.settle(daemon);
    await daemon.stop('over');
    expect(strange).toEqual([]);
  });
});

/** The lease of a plan, as the daemon of a machine takes it. */
const claim = async (place: DaemonPlace, state: string, more: Partial<Parameters<typeof Sole.claim>[0]> = {}) => {
  const workspace = new Workspace(await loadPlan({ cwd: place.directory, env: {} }), place.environment);
  const { clock } = place;
  const pause = async (ms: number) => clock.pass(ms);
  return Sole.claim({
    ...{ workspace, clock, pause, log: silentLog, isWaiting: false, lost: () => {} },
    stateDirectory: join(place.directory, state),
    ...more,
  });
};

describe('two daemons', () => {
  it('never both run anything: who cannot end what it does keeps the lease until its process is over', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    const hung = Promise.withResolvers<{ outcome: 'done' }>();
    const sole = await claim(place, 'here');
    const daemon = await place.daemon({ work: { backup: () => hung.promise }, sole, pause: async () => {} });
    await daemon.tick();
    expect(await daemon.stop('over')).toBe(false);
    for (const state of ['here', 'elsewhere']) {
      await expect(claim(place, state)).rejects.toMatchObject({ code: 'daemon-running' });
    }
    hung.resolve({ outcome: 'done' });
  });

  it('never run two plans whose events lie in one ledger, and say so', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    await claim(place, 'here');
    const { plan, path } = await loadPlan({ cwd: place.directory, env: {} });
    const workspace = new Workspace({ plan: { ...plan, name: 'another' }, path }, place.environment);
    await expect(claim(place, 'elsewhere', { workspace })).rejects.toMatchObject({
      code: 'daemon-running',
      message: expect.stringContaining(`another plan, ${plan.name}, in `),
    });
  });

  it('never both run anything: what hangs as the plan is loaded again does not cost the lease', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    const hung = Promise.withResolvers<void>();
    const ending = Promise.withResolvers<void>();
    const sole = await claim(place, 'here');
    const daemon = await place.daemon({
      ...{ work: {}, sole, pause: () => ending.promise, load: () => loadPlan({ cwd: place.directory, env: {} }) },
      duties: [() => [{ name: 'hangs', nextMs: (nowMs: number) => nowMs, run: () => hung.promise }]],
    });
    await daemon.tick();
    const reloading = daemon.reload();
    const lookAt = async (minutes: number) => {
      place.clock.pass(minutes * 60_000);
      await daemon.tick();
      await sole.idle();
    };
    for (let time = 0; time < 6; time++) await lookAt(1);
    await sole.assertHeld();
    await expect(claim(place, 'elsewhere')).rejects.toMatchObject({ code: 'daemon-running' });
    expect(daemon.nextMs()).toBeGreaterThan(place.clock.nowMs());
    ending.resolve();
    await reloading;
    expect(await place.bodies('plan.reloaded')).toHaveLength(1);
    hung.resolve();
    await daemon.stop('over');
  });

  it('look no more often than they have to while a store does not answer', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    const answer = Promise.withResolvers<void>();
    let isSilent = false;
    class Silent extends DecoratedStore {
      override async put(...given: Parameters<ObjectStore['put']>): Promise<void> {
        if (isSilent) await answer.promise;
        return this.inner.put(...given);
      }
    }
    const loaded = await loadPlan({ cwd: place.directory, env: {} });
    const workspace = new Workspace(
      loaded,
      place.environmentWith((store) => new Silent(store)),
    );
    const sole = await claim(place, 'here', { workspace });
    isSilent = true;
    place.clock.pass(61_000);
    sole.keep();
    place.clock.pass(30_000);
    expect(sole.nextMs(0)).toBeGreaterThan(0);
    answer.resolve();
    await sole.idle();
    await sole.release();
  });

  it('let each other go on where the repository is away as one of them ends', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    let isAway = false;
    const environment = place.environmentWith((store) => new FaultyStore(store, () => (isAway ? 'before' : undefined)));
    const workspace = new Workspace(await loadPlan({ cwd: place.directory, env: {} }), environment);
    const sole = await claim(place, 'here', { workspace });
    const daemon = await place.daemon({ work: {}, sole, environment });
    isAway = true;
    expect(await daemon.stop('over')).toBe(true);
    isAway = false;
    // The lease that it could not give back is of a holder that is gone.
    expect(await claim(place, 'here')).toBeInstanceOf(Sole);
  });

  it('stand by for one another, and say so once', async () => {
    const place = await DaemonPlace.with(START, { db: 'daily' });
    for (const state of ['here', 'elsewhere']) {
      const first = await claim(place, 'here');
      const said: LogFields[] = [];
      let waits = 0;
      const second = await claim(place, state, {
        log: { ...silentLog, info: (_message, fields = {}) => void said.push(fields) },
        isWaiting: true,
        pause: async () => {
          if (++waits === 3) await first.release();
        },
      });
      expect([state, said]).toEqual([state, [expect.objectContaining({ pid: process.pid })]]);
      await second.release();
    }
  });

  it('of one plan are refused on one machine and on two, and not one after the other', async () => {
    const place = await DaemonPlace.with(START, { db: 'daily' });
    const first = await claim(place, 'here');
    const running = { code: 'daemon-running', context: { pid: process.pid } };
    await expect(claim(place, 'here')).rejects.toMatchObject(running);
    await expect(claim(place, 'elsewhere')).rejects.toMatchObject(running);
    await first.release();
    await (await claim(place, 'elsewhere')).release();
    await (await claim(place, 'here')).release();
  });

  it('never both run anything: who could not renew in time fails what it runs, until it has renewed', async () => {
    const place = await DaemonPlace.with(START, { db: 'hourly' });
    const { done, work } = noted();
    let isAway = false;
    const environment = place.environmentWith((store) => new FaultyStore(store, () => (isAway ? 'before' : undefined)));
    const loaded = await loadPlan({ cwd: place.directory, env: {} });
    const workspace = new Workspace(loaded, environment);
    const shared = await Sole.claim({
      ...{ workspace, clock: place.clock, pause: async () => {}, log: silentLog, isWaiting: false, lost: () => {} },
      stateDirectory: join(place.directory, 'here'),
    });
    const daemon = await place.daemon({ work, sole: shared, environment });
    await place.run(daemon, '2026-03-02T10:40:00Z');
    expect(done).toHaveLength(1);
    isAway = true;
    await place.run(daemon, '2026-03-02T11:02:00Z');
    expect(done).toHaveLength(1);
    isAway = false;
    await place.run(daemon, '2026-03-02T11:20:00Z');
    expect(done).toEqual(['db 03-02T10:30', 'db 03-02T11:00']);
    await daemon.stop('over');
  });
});

describe('what a daemon does beside its jobs', () => {
  it('removes what proofs left once its time is over, also by a clock that was set back by a year', async () => {
    const place = await DaemonPlace.with(START, SOURCES);
    const parentDirectory = join(place.directory, 'sandboxes');
    const leave = (until: string) => {
      const path = join(parentDirectory, `holdfast-kept-${Date.parse(until) / 1000}-0123456789`);
      mkdirSync(join(path, 'data'), { recursive: true });
      writeFileSync(join(path, 'data', 'restored'), 'a row of somebody');
      return path;
    };
    const createSandbox: typeof adapters.createSandbox = async (context) =>
      createLocalSandbox({ ...context, parentDirectory });
    const environment = { ...place.environment, adapters: { ...adapters, createSandbox } };
    const [first, second] = [leave('2026-03-02T11:00:00Z'), leave('2026-03-02T12:00:00Z')];
    writeFileSync(join(parentDirectory, 'holdfast-kept-1-0123456789'), 'no directory: somebody else has it');
    const daemon = await place.daemon({ environment, duties: [keptDuties], work: noted().work });
    await place.run(daemon, '2026-03-02T10:59:00Z');
    expect([first, second].map(existsSync)).toEqual([true, true]);
    await place.run(daemon, '2026-03-02T11:31:00Z');
    expect([first, second].map(existsSync)).toEqual([false, true]);
    place.clock.set('2027-03-02T12:00:00Z');
    await place.settle(daemon);
    expect(existsSync(second)).toBe(false);
    place.clock.set('2026-03-02T12:00:00Z');
    const third = leave('2026-03-02T12:30:00Z');
    await place.run(daemon, '2026-03-02T14:00:00Z');
    expect(existsSync(third)).toBe(false);
    await daemon.stop('over');
    expect((await place.bodies('sandbox.removed')).map(({ place: where }) => where)).toEqual([first, second, third]);
    expect(readdirSync(parentDirectory)).toEqual(['holdfast-kept-1-0123456789']);
  });

  it('follows again what could not be followed, after a while, and once more when another one begins', async () => {
    const place = await DaemonPlace.with(START, { docs: 'continuous' });
    let isAway = true;
    const createSource: typeof adapters.createSource = async (...given) => {
      if (isAway) throw new HoldfastError('source-unreachable', 'it is away', { retryable: true });
      return adapters.createSource(...given);
    };
    const environment = { ...place.environment, adapters: { ...adapters, createSource } };
    const outcomes = async () => (await place.bodies('run.finished')).map(({ outcome, code }) => code ?? outcome);
    const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 30_000, interval: 50 });
    const first = await place.daemon({ environment, isFollowing: true });
    await place.settle(first);
    await until(async () => expect(await outcomes()).toEqual(['source-unreachable']));
    await until(async () => expect(first.nextMs()).toBeLessThan(Number.POSITIVE_INFINITY));
    const waitMs = first.nextMs() - place.clock.nowMs();
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(10 * 60_000);
    await place.settle(first);
    expect(await place.bodies('run.started')).toHaveLength(1);
    isAway = false;
    place.clock.pass(waitMs);
    await place.settle(first);
    await until(async () => expect(await place.bodies('backup.finished')).toHaveLength(1));
    await first.stop('over');
    expect(await outcomes()).toEqual(['source-unreachable', 'done']);

    const second = await place.daemon({ environment, isFollowing: true });
    await place.settle(second);
    await until(async () => expect(await place.bodies('follow.started')).toHaveLength(2));
    await second.stop('over');
    const attempts = (await place.bodies('run.started')).map(({ task, attempt }) => [task, attempt]);
    expect(attempts).toEqual([1, 2, 1].map((attempt) => ['follow:docs', attempt]));
    expect(await place.bodies('run.died')).toEqual([]);
  });
});
