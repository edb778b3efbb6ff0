import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Message } from '../../src/alert/index.ts';
import { formatTimeMs } from '../../src/format/index.ts';
import { HoldfastError } from '../../src/foundation/errors.ts';
import type { RecoveryForecast, Samples } from '../../src/operations/alerts/facts/samples.ts';
import { Lookout } from '../../src/operations/alerts/lookout.ts';
import { appendToPlanLedger, readBook } from '../../src/operations/alerts/plan-ledger.ts';
import {
  acknowledgeAlert,
  backup,
  listAlerts,
  muteAlerts,
  replicate,
  status,
  testAlert,
  type Watched,
  type Workspace,
} from '../../src/operations/index.ts';
import type { Plan } from '../../src/plan/index.ts';
import type { Repository } from '../../src/repository/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { alertedWorkspace, alerting, type Told } from '../support/alerted.ts';
import { plannedFiles } from '../support/mirrored.ts';
import { movableClock, PASSWORD, testDirectory, testRepository } from '../support/repository.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('a lookout', () => {
  let store: MemoryStore;
  let repository: Repository;
  let clock: ReturnType<typeof movableClock>;
  let workspace: Workspace;
  let told: Told[];
  let refusing: Set<string>;
  let lookout: Lookout;
  let data: string;

  beforeEach(async () => {
    store = new MemoryStore();
    repository = await testRepository(store);
    clock = movableClock();
    data = join(testDirectory(), 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), 'content');
    begin();
  });

  /** As a process that begins, with this plan. */
  function begin(more: Partial<Plan> = {}, stores: Record<string, MemoryStore> = {}): void {
    const planned = { ...plannedFiles('files', data, { objectives: { rpoMs: 100 * HOUR_MS } }), ...more };
    ({ workspace, told, refusing } = alertedWorkspace({ main: store, ...stores }, planned, clock));
    lookout = startLookout();
  }

  function startLookout(watched: Watched = {}): Lookout {
    return new Lookout(workspace, { pause: async () => {}, append: appendToPlanLedger(workspace), ...watched });
  }

  /** @returns what was told since, as `channel news: reason` */
  async function look(afterMs = 0, fresh = true): Promise<string[]> {
    clock.advance(afterMs);
    const before = told.length;
    await lookout.look({ fresh });
    await lookout.settled();
    return told
      .slice(before)
      .map(({ channel, message: { kind, reason } }) => `${channel} ${kind}: ${reason}`)
      .sort();
  }

  const open = async () =>
    (await readBook(workspace)).book.open.map(({ rule, subject }) => `${rule} ${subject}`).sort();

  it('counts what is in each recovery point once', async () => {
    let backups = 0;
    const readsOfLook = async (): Promise<number> => {
      writeFileSync(join(data, 'file'), `content ${backups++}`);
      await backup(workspace, ['files']);
      const get = vi.spyOn(store, 'get');
      await look();
      const reads = get.mock.calls.filter(([key]) => key.startsWith('data/')).length;
      get.mockRestore();
      return reads;
    };
    const first = await readsOfLook();
    expect(first).toBeGreaterThan(0);
    for (let index = 0; index < 3; index++) await readsOfLook();
    expect(await readsOfLook()).toBe(first);
  });

  it('climbs the ladder for a backup that failed, until somebody sees to it, and tells all who were told that it is over', async () => {
    await backup(workspace, ['files']);
    expect(await look()).toEqual([]);
    rmSync(data, { recursive: true });
    await backup(workspace, ['files']);
    expect(await look()).toEqual(['pager raised: 0m, oncall', 'team raised: route']);
    const { alerts } = told[0]!.message;
    expect(alerts).toMatchObject([
      {
        ...{ rule: 'backup-failed', subject: 'files', severity: 'p2', state: 'open', command: 'holdfast backup files' },
        contacts: [{ role: 'On-call engineer', phone: '+1-555' }, { role: 'DevOps lead' }, { role: 'CTO' }],
      },
    ]);
    expect(alerts[0]!.message).toContain('the backup of files failed: ');
    expect(await look(15_000)).toEqual([]);
    expect(await look(30 * MINUTE_MS)).toEqual(['lead-mail raised: 30m, lead']);
    expect((await acknowledgeAlert(workspace, { alert: alerts[0]!.id, by: 'ann', note: 'at it' })).isNew).toBe(true);
    expect((await acknowledgeAlert(workspace, { alert: alerts[0]!.id })).isNew).toBe(false);
    expect(await look(15_000, false)).toEqual(
      ['lead-mail', 'pager', 'team'].map((name) => `${name} acknowledged: told before`),
    );
    // Another process goes on where this one ended.
    lookout = startLookout();
    expect(await look(30 * MINUTE_MS)).toEqual(['cto-mail raised: 1h, cto']);
    mkdirSync(data);
    writeFileSync(join(data, 'file'), 'content');
    await backup(workspace, ['files']);
    expect(await look()).toEqual([]);
    expect(await look(2 * MINUTE_MS)).toEqual(
      ['cto-mail', 'lead-mail', 'pager', 'team'].map((name) => `${name} resolved: told before`),
    );
    expect(await look(HOUR_MS)).toEqual([]);
    expect(await open()).toEqual([]);
    const { alerts: all } = await listAlerts(workspace, { all: true });
    expect(all).toMatchObject([
      { state: 'resolved', acknowledgedBy: 'ann', acknowledgedNote: 'at it', told: { length: 4 } },
    ]);
  });

  it('says what a channel refused, tells another one instead, and alarms', async () => {
    refusing.add('pager');
    rmSync(data, { recursive: true });
    await backup(workspace, ['files']);
    expect(await look()).toEqual(['lead-mail raised: 0m, oncall; instead of pager', 'team raised: route']);
    expect(await look(30_000)).toEqual(['lead-mail raised: 0m, oncall; instead of pager', 'team raised: route']);
    expect(told.at(-1)!.message.alerts).toMatchObject([{ rule: 'channel-failed', subject: 'pager' }]);
    refusing.clear();
    expect(await look(MINUTE_MS)).toContain('pager raised: 0m, oncall');
    await look(MINUTE_MS);
    await look(2 * MINUTE_MS);
    expect(await open()).toEqual(['backup-failed files']);
  });

  it('alarms of a repository that is away, holds what it cannot know, and records later what it told meanwhile', async () => {
    rmSync(data, { recursive: true });
    await backup(workspace, ['files']);
    await look();
    const away = new HoldfastError('store-unreachable', 'nobody answers');
    const [list, put] = [store.list, store.put];
    store.list = () => {
      throw away;
    };
    store.put = () => Promise.reject(away);
    expect(await look(MINUTE_MS)).toEqual([]);
    clock.advance(6 * MINUTE_MS);
    const before = told.length;
    await expect(lookout.look({ fresh: true })).rejects.toBe(away);
    await expect(lookout.settled()).rejects.toBe(away);
    const raised = told.slice(before);
    expect(raised.map(({ channel }) => channel).sort()).toEqual(['pager', 'team']);
    expect(raised[0]!.message.alerts).toMatchObject([{ rule: 'repository-unreachable', subject: 'main' }]);
    Object.assign(store, { list, put });
    expect(await look(MINUTE_MS)).toEqual([]);
    expect(await open()).toEqual(['backup-failed files', 'repository-unreachable main']);
    expect(await look(2 * MINUTE_MS)).toEqual(['pager resolved: told before', 'team resolved: told before']);
    lookout = startLookout();
    expect(await look(15_000)).toEqual([]);
  });

  it('tells those whose turn it is at once, in one look, by a clock that goes on while it looks', async () => {
    const { nowMs } = clock;
    clock.nowMs = () => {
      clock.advance(1);
      return nowMs();
    };
    rmSync(data, { recursive: true });
    await backup(workspace, ['files']);
    expect(await look()).toEqual(['pager raised: 0m, oncall', 'team raised: route']);
  });

  it('lets a slow channel stop no other, and nothing be told twice meanwhile', async () => {
    const adapters = workspace.environment.adapters as unknown as {
      createChannel: (planned: { name: string }) => Promise<object>;
    };
    const { createChannel } = adapters;
    let answer = (): void => {};
    const slow = new Promise<void>((resolve) => {
      answer = resolve;
    });
    adapters.createChannel = async (planned) =>
      planned.name === 'pager'
        ? { takes: () => true, send: () => slow.then(() => told.push({ channel: 'pager' } as Told)) }
        : createChannel(planned);
    rmSync(data, { recursive: true });
    await backup(workspace, ['files']);
    await lookout.look({ fresh: true });
    await new Promise(setImmediate);
    clock.advance(31 * MINUTE_MS);
    await lookout.look({ fresh: true });
    await new Promise(setImmediate);
    expect(told.map(({ channel }) => channel)).toEqual(['team', 'lead-mail']);
    answer();
    await lookout.settled();
    expect(told.map(({ channel }) => channel)).toEqual(['team', 'lead-mail', 'pager']);
    expect(await look(MINUTE_MS)).toEqual([]);
  });

  it('tells a slow channel of what came meanwhile, and in its order', async () => {
    const adapters = workspace.environment.adapters as unknown as {
      createChannel: (planned: { name: string }) => Promise<{ send(message: Message): Promise<void> }>;
    };
    const { createChannel } = adapters;
    let gate = Promise.withResolvers<void>();
    adapters.createChannel = async (planned) => {
      const channel = await createChannel(planned);
      if (planned.name !== 'pager') return channel;
      return { ...channel, send: (message) => gate.promise.then(() => channel.send(message)) };
    };
    const toPager = () => told.flatMap(({ channel, message: { kind } }) => (channel === 'pager' ? [kind] : []));
    const open = () => {
      gate.resolve();
      return lookout.settled();
    };
    rmSync(data, { recursive: true });
    await backup(workspace, ['files']);
    await lookout.look({ fresh: true });
    const { id } = (await readBook(workspace)).book.open[0]!;
    await acknowledgeAlert(workspace, { alert: id, by: 'ann' });
    await open();
    expect(await look(15_000)).toContain('pager acknowledged: told before');
    expect(toPager()).toEqual(['raised', 'acknowledged']);

    gate = Promise.withResolvers();
    mkdirSync(data);
    const record = appendToPlanLedger(workspace);
    await record({ kind: 'alert.updated', body: { alert: id, message: 'worse', severity: 'p1' } });
    await lookout.look({ fresh: true });
    await backup(workspace, ['files']);
    for (const afterMs of [0, 2 * MINUTE_MS]) {
      clock.advance(afterMs);
      await lookout.look({ fresh: true });
    }
    expect(await listAlerts(workspace, { all: false })).toMatchObject({ alerts: [] });
    await open();
    expect(await look(15_000)).toEqual(['pager resolved: told before']);
    expect(toPager()).toEqual(['raised', 'acknowledged', 'updated', 'resolved']);
  });

  it('climbs the ladder and resolves by a clock that was set back by a year', async () => {
    const yearMs = 365 * 24 * HOUR_MS;
    clock.advance(yearMs);
    rmSync(data, { recursive: true });
    await backup(workspace, ['files']);
    expect(await look()).toEqual(['pager raised: 0m, oncall', 'team raised: route']);
    clock.advance(-yearMs);
    // One process went through it, another one begins behind it.
    expect(await look()).toEqual([]);
    lookout = startLookout();
    expect(await look()).toEqual([]);
    expect(await look(30 * MINUTE_MS)).toEqual(['lead-mail raised: 30m, lead']);
    mkdirSync(data);
    await backup(workspace, ['files']);
    await look();
    expect(await look(2 * MINUTE_MS)).toHaveLength(3);
    for (let minute = 0; minute < 3; minute++) expect(await look(MINUTE_MS)).toEqual([]);
    expect(await open()).toEqual([]);
    const events = await (await workspace.open('main')).ledger.read();
    expect(events.filter(({ kind }) => kind === 'alert.resolved')).toHaveLength(1);
  });

  it('tells nobody of what is muted, and lists it', async () => {
    await muteAlerts(workspace, { rule: 'backup-failed', subject: 'files', forMs: HOUR_MS, why: 'moved' });
    rmSync(data, { recursive: true });
    await backup(workspace, ['files']);
    expect(await look()).toEqual([]);
    expect(await listAlerts(workspace, { all: false })).toMatchObject({
      alerts: [{ rule: 'backup-failed', muted: { why: 'moved' } }],
      mutes: [{ rule: 'backup-failed', subject: 'files' }],
    });
    expect(await look(61 * MINUTE_MS)).toEqual(['pager raised: 0m, oncall', 'team raised: route']);
    await expect(muteAlerts(workspace, { rule: 'nothing', forMs: 1, why: 'w' })).rejects.toThrow('no rule "nothing"');
  });

  it('sees from the repository what a size, a lock and a check say', async () => {
    for (let index = 0; index < 3; index++) {
      writeFileSync(join(data, 'file'), Buffer.alloc(100_000, index));
      await backup(workspace, ['files']);
      clock.advance(MINUTE_MS);
    }
    expect(await look()).toEqual([]);
    writeFileSync(join(data, 'file'), 'little');
    await backup(workspace, ['files']);
    await look();
    expect(await open()).toEqual(['size-drop files']);
    expect((await listAlerts(workspace, { all: false })).alerts[0]!.message).toContain(
      '100% less than the usual 97.7 KiB',
    );
    const lock = {
      time: formatTimeMs(clock.nowMs() - 25 * HOUR_MS),
      exclusive: false,
      hostname: 'db1',
      username: 'root',
      pid: 1,
    };
    await repository.putDocument('locks/', lock);
    const ledger = (await workspace.open('main')).ledger;
    await ledger.append('check.finished', {
      repository: 'main',
      readData: true,
      clean: false,
      errors: 3,
      durationMs: 1,
    });
    await look();
    expect(await open()).toEqual(['repository-unreachable main', 'size-drop files', 'stale-lock main']);
    await ledger.append('check.finished', {
      repository: 'main',
      readData: true,
      clean: true,
      errors: 0,
      durationMs: 1,
    });
    await look();
    await look(2 * MINUTE_MS);
    expect(await open()).toEqual(['size-drop files', 'stale-lock main']);
  });

  it('takes what others know of services and of recovery times, and resolves nothing while they know nothing', async () => {
    let samples: Samples | undefined;
    let forecasts: RecoveryForecast[] = [];
    const service = { name: 'api', http: 'http://localhost', everyMs: 30_000, timeoutMs: 1000 };
    begin({ ...plannedFiles('files', data), services: new Map([['api', service]]) });
    lookout = startLookout({ samples: () => samples, forecasts: () => forecasts });
    await look();
    expect(await open()).toEqual([]);
    const failures = [1, 2, 3].map((index) => ({ timeMs: clock.nowMs() + index, error: 'refused' }));
    samples = { services: [{ service: 'api', samples: failures, errorRates: [] }], standbys: [] };
    forecasts = [{ source: 'files', nowMs: 1, promisedMs: 2, missedAtMs: clock.nowMs() }];
    expect(await look()).toEqual(['lead-mail raised: 0m, lead', 'pager raised: 0m, oncall', 'team raised: route']);
    expect(await open()).toEqual(['availability api', 'rto-forecast files']);
    samples = undefined;
    forecasts = [];
    for (let minute = 0; minute < 3; minute++) await look(MINUTE_MS);
    expect(await open()).toEqual(['availability api']);
    samples = {
      services: [{ service: 'api', samples: [{ timeMs: clock.nowMs(), valueMs: 1 }], errorRates: [] }],
      standbys: [],
    };
    for (let minute = 0; minute < 3; minute++) await look(MINUTE_MS);
    expect(await open()).toEqual([]);
  });

  it('looks into a repository again only when something was done there, or a minute later', async () => {
    await backup(workspace, ['files']);
    await look();
    const reads = () => calls;
    let calls = 0;
    const { list, get } = store;
    store.list = (...given) => {
      calls++;
      return list.apply(store, given);
    };
    store.get = (...given) => {
      calls++;
      return get.apply(store, given);
    };
    await look(15_000, false);
    await look(15_000, false);
    expect(reads()).toBe(0);
    await look(MINUTE_MS, false);
    const idle = reads();
    expect(idle).toBeGreaterThan(0);
    // Snapshots, events and locks are listed, and none of them is read.
    expect(idle).toBeLessThan(8);
  });

  it('raises an alarm where a repository, a mirror or an archive has less room left than the plan wants', async () => {
    const [eu, cold] = [new MemoryStore(), new MemoryStore()];
    await testRepository(cold);
    const at = { s3: { pathStyle: false } };
    const archive = { from: 'main', sources: ['files'], isOffline: false };
    const limited = (ofBytes: number): Partial<Plan> => {
      const capacity = { ofBytes, warnAt: 0.8 };
      const own = { ...at, password: PASSWORD, capacity };
      return {
        ...plannedFiles('files', data),
        repositories: new Map([
          ['main', { name: 'main', store: '/main', ...own }],
          ['cold', { name: 'cold', store: '/cold', ...own, archive }],
        ]),
        mirrors: new Map([['eu', { name: 'eu', store: '/eu', of: 'main', ...at, capacity }]]),
      };
    };
    const seen = async (ofBytes: number) => {
      begin(limited(ofBytes), { eu, cold });
      await look();
      const { capacity } = await status(workspace);
      return {
        open: await open(),
        reached: capacity.filter(({ isReached }) => isReached).map((each) => each.repository),
      };
    };
    begin(limited(1e9), { eu, cold });
    await backup(workspace, ['files']);
    await replicate(workspace, []);
    expect(await seen(1e9)).toEqual({ open: [], reached: [] });
    expect(await seen(100)).toEqual({
      open: ['capacity cold', 'capacity eu', 'capacity main'],
      reached: expect.arrayContaining(['cold', 'eu', 'main']),
    });
    const { alerts } = told.at(-1)!.message;
    const commands = Object.fromEntries(alerts.map(({ subject, command }) => [subject, command]));
    expect(commands).toEqual({ cold: 'holdfast prune cold', eu: 'holdfast prune main', main: 'holdfast prune main' });
  });

  it('raises an alarm where the newest backup is gone that nobody removed, until there is another', async () => {
    begin(plannedFiles('files', data));
    await backup(workspace, ['files']);
    await look();
    expect(await open()).toEqual([]);
    for (const key of [...store.objects.keys()].filter((each) => each.startsWith('snapshots/'))) {
      await store.delete(key);
    }
    await look(MINUTE_MS, false);
    await look(MINUTE_MS, false);
    expect(await open()).toEqual(['repository-unreachable main']);
    expect(told[0]!.message.alerts[0]!.message).toMatch(
      /^main: the newest backup of files, of .*, is gone, and nobody/,
    );
    await backup(workspace, ['files']);
    await look();
    await look(2 * MINUTE_MS);
    expect(await open()).toEqual([]);
  });

  it('finds what objectives, runs and reviews say of the record', async () => {
    const monthly = { kind: 'every', text: 'every 1d', everyMs: 24 * HOUR_MS } as const;
    begin({
      ...plannedFiles('files', data, { objectives: { rpoMs: HOUR_MS } }),
      reviews: new Map([['strategy', monthly]]),
    });
    await backup(workspace, ['files']);
    const { ledger } = await workspace.open('main');
    await look();
    expect(await open()).toEqual([]);
    await ledger.append('run.finished', {
      run: 'r',
      task: 'prune:main',
      outcome: 'failed',
      durationMs: 1,
      message: 'no space',
    });
    await ledger.append('duty.failed', { duty: 'heartbeat', code: 'internal', message: 'x' });
    await look();
    expect(await open()).toEqual(['upkeep-failed duty:heartbeat', 'upkeep-failed prune:main']);
    await look(3 * 24 * HOUR_MS);
    expect((await open()).slice(0, 2)).toEqual(['review-overdue strategy', 'rpo-breach files']);
    const { told: reached } = (await readBook(workspace)).book.openOf('rpo-breach', 'files')!;
    expect([...reached.keys()].sort()).toEqual(['lead-mail', 'pager', 'team']);
    await ledger.append('review.recorded', { review: 'strategy', attended: ['ann'] });
    await ledger.append('run.finished', { run: 's', task: 'prune:main', outcome: 'done', durationMs: 1 });
    await ledger.append('duty.recovered', { duty: 'heartbeat' });
    await backup(workspace, ['files']);
    await look();
    await look(2 * MINUTE_MS);
    expect(await open()).toEqual([]);
  });

  it('sends a test to those who would be told at once, says who refused it, and leaves nothing open', async () => {
    refusing.add('team');
    const pause = async () => {};
    const { alert, channels } = await testAlert(workspace, { rule: 'rpo-breach', pause });
    expect(alert.message).toMatch(/^TEST, nothing is wrong: the newest recovery point of files is of /);
    expect(channels).toMatchObject([
      { channel: 'team', outcome: 'failed', error: { message: 'team answered 500' } },
      { channel: 'pager', outcome: 'delivered' },
      { channel: 'lead-mail', outcome: 'delivered' },
    ]);
    expect(told.map(({ channel, message }) => `${channel} ${message.kind}`)).toEqual([
      ...['pager raised', 'lead-mail raised', 'pager resolved', 'lead-mail resolved'],
    ]);
    expect(await open()).toEqual([]);
    begin(alerting({ 'rpo-breach': false }));
    await expect(testAlert(workspace, { rule: 'rpo-breach', pause })).rejects.toThrow('turned the rule rpo-breach off');
  });
});
