import { describe, expect, it } from 'vitest';
import { digestOfAll } from '../../../../test/support/digest.ts';
import { ledgerEvent } from '../../../../test/support/ledger-event.ts';
import { planWith } from '../../../../test/support/plan.ts';
import { COMMAND_NAMES } from '../../../cli/registry.ts';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { LedgerEvent } from '../../../ledger/index.ts';
import { RULE_NAMES } from '../../../plan/alerts/rule-schema.ts';
import type { Rule, RuleName } from '../../../plan/index.ts';
import type { Condition } from '../condition.ts';
import { conditionsOf } from '../condition.ts';
import { recordOf, unreadableIn } from '../facts/digest.ts';
import type { Facts, RunFacts, SizedPoint, SourceFacts } from '../facts/facts.ts';
import { exampleFacts, exampleRepository, exampleSamples, exampleSource } from './example.ts';
import { ALERT_RULES, conditionsNow, isUnknown } from './index.ts';

const NOW = Date.parse('2026-03-10T12:00:00Z');
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const plan = planWith({});
const ruleOf = (name: RuleName): Rule => plan.alerts.rules.get(name)!;

function found(name: RuleName, more: Partial<Facts>): Condition[] {
  return conditionsOf(ALERT_RULES[name], exampleFacts(plan, NOW, more), ruleOf(name));
}

const messages = (name: RuleName, more: Partial<Facts>) => found(name, more).map(({ message }) => message);
const at = (agoMs: number) => new Date(NOW - agoMs).toISOString();

function source(
  more: Partial<Omit<SourceFacts, 'source'>> = {},
  planned: Partial<SourceFacts['source']> = {},
): SourceFacts {
  const facts = exampleSource(plan, more);
  return { ...facts, source: { ...facts.source, ...planned } as SourceFacts['source'] };
}

function runs(task: string, more: Partial<RunFacts>): Pick<Facts, 'record'> {
  const { record } = exampleFacts(plan, NOW, {});
  return { record: { ...record, runs: new Map([[task, { task, ...more }]]) } };
}

const byTime = (events: readonly LedgerEvent[]) => events.toSorted((a, b) => (a.time < b.time ? -1 : 1));

describe('each rule', () => {
  it.each(RULE_NAMES)('%s says what happened, since when, what it endangers, and a command that there is', (name) => {
    const example = ALERT_RULES[name].example(plan, ruleOf(name), NOW);
    const [condition, ...others] = conditionsOf(ALERT_RULES[name], example, ruleOf(name));
    expect(others).toEqual([]);
    expect(condition).toMatchObject({ rule: name, severity: ruleOf(name).severity });
    for (const text of [condition!.subject, condition!.message, condition!.endangers]) expect(text).toMatch(/^\S.*\S$/);
    expect(condition!.message).not.toMatch(/undefined|NaN|Infinity/);
    expect(Date.parse(condition!.since)).toBeLessThanOrEqual(NOW);
    const words = condition!.command.split(' ').slice(1);
    expect(condition!.command).toMatch(/^holdfast /);
    expect(COMMAND_NAMES.some((name) => words.join(' ').startsWith(name))).toBe(true);
  });

  it('finds nothing where nothing is wrong, and nothing when it is turned off', () => {
    const proof = { timeMs: NOW, durationMs: 1, state: 'proven', snapshot: 's', reason: '' } as const;
    const backups = [{ timeMs: NOW - HOUR_MS, durationMs: MINUTE_MS, outcome: 'complete' as const }];
    const well = exampleFacts(plan, NOW, {
      sources: [source({ proof, backups })],
      repositories: [exampleRepository(plan)],
    });
    expect(conditionsNow(well)).toEqual([]);
    const { rules, ...alerts } = plan.alerts;
    const off = {
      ...plan,
      alerts: { ...alerts, rules: new Map([...rules].filter(([name]) => name !== 'stale-lock')) },
    };
    const locked = ALERT_RULES['stale-lock'].example(plan, ruleOf('stale-lock'), NOW);
    expect(conditionsNow(locked)).toHaveLength(1);
    expect(conditionsNow({ ...locked, plan: off })).toEqual([]);
  });

  it('has the severity that the plan gives it', () => {
    const example = ALERT_RULES['stale-lock'].example(plan, ruleOf('stale-lock'), NOW);
    const given = { ...ruleOf('stale-lock'), severity: 'p1' as const };
    expect(conditionsOf(ALERT_RULES['stale-lock'], example, given)).toMatchObject([{ severity: 'p1' }]);
  });
});

describe('backup-failed', () => {
  const attempt = (agoMs: number, outcome: 'complete' | 'partial' | 'failed', message?: string) => ({
    ...{ timeMs: NOW - agoMs, durationMs: MINUTE_MS, outcome },
    ...(message !== undefined && { message }),
  });

  it('is since the first failure after the last complete backup, and over with the next one', () => {
    const backups = [
      attempt(9 * HOUR_MS, 'failed', 'a'),
      attempt(8 * HOUR_MS, 'complete'),
      attempt(3 * HOUR_MS, 'failed', 'b'),
      attempt(HOUR_MS, 'failed', 'c'),
    ];
    expect(found('backup-failed', { sources: [source({ backups })] })).toMatchObject([
      { subject: 'example', message: 'the backup of example failed: c', since: at(3 * HOUR_MS) },
    ]);
    expect(found('backup-failed', { sources: [source({ backups: [...backups, attempt(0, 'complete')] })] })).toEqual(
      [],
    );
  });

  it('is also what is partial, and what ended before anything could be recorded of it', () => {
    const partial = [attempt(2 * HOUR_MS, 'complete'), attempt(HOUR_MS, 'partial')];
    expect(messages('backup-failed', { sources: [source({ backups: partial })] })[0]).toContain('is partial');
    const complete = [attempt(2 * HOUR_MS, 'complete')];
    const last = { timeMs: NOW, outcome: 'failed', message: 'no password' } as const;
    const early = { sources: [source({ backups: complete })], ...runs('backup:example', { last }) };
    expect(messages('backup-failed', early)).toEqual(['the backup of example failed: no password']);
    const older = { ...last, timeMs: NOW - 3 * HOUR_MS };
    expect(messages('backup-failed', { ...early, ...runs('backup:example', { last: older }) })).toEqual([]);
    const died = { timeMs: NOW, outcome: 'died' } as const;
    expect(messages('backup-failed', { ...early, ...runs('backup:example', { last: died }) })[0]).toContain('died');
  });

  it('is a copy to an archive that failed, too', () => {
    const failed = { timeMs: NOW - HOUR_MS, message: 'no bucket' };
    const archives = [{ archive: 'cold', from: 'main', isKnown: true, overdue: [], failed }];
    expect(found('backup-failed', { archives })).toMatchObject([
      { subject: 'cold', command: 'holdfast replicate cold' },
    ]);
  });
});

describe('backup-missed', () => {
  const hourly = { schedule: { kind: 'cron', text: 'hourly', pattern: '0 * * * *' } } as const;
  const began = (agoMs: number) => [{ timeMs: NOW - agoMs, durationMs: 0, outcome: 'complete' as const }];
  const missed = (agoMs: number, more: Partial<Facts> = {}, nowMs = NOW) =>
    conditionsOf(
      ALERT_RULES['backup-missed'],
      exampleFacts(plan, nowMs, { sources: [source({ backups: began(agoMs) }, hourly)], ...more }),
      ruleOf('backup-missed'),
    ).map(({ since }) => since);

  it('is what was due and did not begin within a quarter of the time between two', () => {
    expect(missed(70 * MINUTE_MS, {}, NOW + 15 * MINUTE_MS)).toEqual([at(HOUR_MS)]);
    expect(missed(HOUR_MS, {}, NOW + 15 * MINUTE_MS)).toEqual([]);
    expect(missed(HOUR_MS, {}, NOW + 15 * MINUTE_MS + 1)).toEqual([at(0)]);
  });

  it('is not one that is running, nor a source that has no schedule or is captured all the time', () => {
    expect(missed(5 * HOUR_MS, runs('backup:example', { runningMs: NOW - HOUR_MS }))).toEqual([]);
    expect(found('backup-missed', { sources: [source({ backups: began(DAY_MS) })] })).toEqual([]);
    const continuous = { schedule: { kind: 'continuous', text: 'continuous' } } as const;
    expect(found('backup-missed', { sources: [source({ backups: began(DAY_MS) }, continuous)] })).toEqual([]);
  });

  it('tells what nobody was there for even where it was made up for at once', () => {
    const gap = { fromMs: NOW - DAY_MS, toMs: NOW - HOUR_MS, count: 23, foundMs: NOW - MINUTE_MS };
    const made = {
      sources: [source({ backups: began(0) })],
      ...runs('backup:example', { missed: gap, startedMs: NOW }),
    };
    expect(messages('backup-missed', made)[0]).toContain('missed 23 times from 2026-03-09 12:00 UTC');
    expect(messages('backup-missed', made)[0]).toContain('nobody was there');
    const body = { task: 'backup:example', from: at(DAY_MS), to: at(HOUR_MS), count: 23, reason: 'busy' as const };
    const record = recordOf([ledgerEvent('run.missed', at(MINUTE_MS), body)], { isKnown: true });
    expect(messages('backup-missed', { ...made, record })[0]).toMatch(
      /23 times .*: the one before it.* took too long$/,
    );
    const later = { ...gap, foundMs: NOW - 16 * MINUTE_MS };
    expect(
      messages('backup-missed', { ...made, ...runs('backup:example', { missed: later, startedMs: NOW }) }),
    ).toEqual([]);
  });

  it('is a copy to an archive that is overdue', () => {
    const archives = [
      { archive: 'cold', from: 'main', isKnown: true, overdue: [{ source: 'db', dueMs: NOW - DAY_MS }] },
    ];
    expect(found('backup-missed', { archives })).toMatchObject([{ subject: 'cold', since: at(DAY_MS) }]);
  });
});

describe('what objectives are missed', () => {
  const missing = (missed: ('rpo' | 'rto' | 'proof')[], actual: object): SourceFacts => {
    const facts = source();
    const objectives = { rpoMs: HOUR_MS, proofMs: DAY_MS, rtoMs: HOUR_MS };
    return { ...facts, status: { ...facts.status, objectives, missed, actual } };
  };

  it('is rpo-breach since the moment at which the promise was broken', () => {
    expect(found('rpo-breach', { sources: [missing(['rpo'], { rpoMs: 3 * HOUR_MS })] })).toMatchObject([
      { since: at(2 * HOUR_MS), severity: 'p1' },
    ]);
    expect(found('rpo-breach', { sources: [missing([], { rpoMs: MINUTE_MS })] })).toEqual([]);
  });

  it('is rpo-breach where there is no recovery point, once there could be one', () => {
    const sources = [missing(['rpo'], {})];
    const { record } = exampleFacts(plan, NOW, {});
    expect(found('rpo-breach', { sources, record: { ...record, beganMs: NOW - 30 * MINUTE_MS } })).toEqual([]);
    expect(found('rpo-breach', { sources, record: { ...record, beganMs: NOW - 2 * HOUR_MS } })).toMatchObject([
      { message: 'example has no recovery point; promised are 1 h' },
    ]);
  });

  it('is proof-overdue by the newest proof, and where there was none', () => {
    expect(found('proof-overdue', { sources: [missing(['proof'], { provenRpoMs: 3 * DAY_MS })] })).toMatchObject([
      { since: at(2 * DAY_MS), command: 'holdfast verify example' },
    ]);
    expect(messages('proof-overdue', { sources: [missing(['proof'], {})] })[0]).toContain('ever proven');
  });

  it('is rto-forecast by the last proof, and before it is missed', () => {
    expect(messages('rto-forecast', { sources: [missing(['rto'], { rtoMs: 2 * HOUR_MS })] })).toEqual([
      'the last proof of example took 2 h; promised are 1 h',
    ]);
    const forecast = (days: number | undefined) => ({
      ...{ source: 'db', nowMs: HOUR_MS, promisedMs: 2 * HOUR_MS },
      ...(days !== undefined && { missedAtMs: NOW + days * DAY_MS }),
    });
    const soon = (days: number | undefined) => messages('rto-forecast', { forecasts: [forecast(days)] });
    expect(soon(30)).toEqual([
      'at this growth a recovery of db takes longer from 2026-04-09 on than the 2 h that are promised',
    ]);
    expect(soon(31)).toEqual([]);
    expect(soon(undefined)).toEqual([]);
    expect(soon(-1)[0]).toContain('takes 1 h; promised are 2 h');
  });
});

describe('size-drop', () => {
  const point = (bytes: number, items: Record<string, number> = {}): SizedPoint => ({
    ...{ snapshot: 's', timeMs: NOW, bytes },
    items: Object.entries(items).map(([item, count]) => ({ item, count, unit: 'rows' })),
  });
  const losses = (points: SizedPoint[], planned: object = {}) =>
    messages('size-drop', { sources: [source({ points }, planned)] }).map((message) => message.split('something: ')[1]);

  it('is by more than a fifth of the median of the last seven, before anything is deduplicated', () => {
    const usual = [1000, 90, 100, 110, 100, 100, 100, 100].map((bytes) => point(bytes));
    expect(losses([...usual, point(80)])).toEqual([]);
    expect(losses([...usual, point(79)])).toEqual(['example has 79 B, 21% less than the usual 100 B']);
    expect(losses([point(1)])).toEqual([]);
  });

  it('is of each table by itself, also where the whole is as large as ever', () => {
    const usual = Array.from({ length: 7 }, () => point(100, { a: 10, b: 1000 }));
    expect(losses([...usual, point(100, { a: 7, b: 1003 })])).toEqual(['a has 7 rows, 30% less than the usual 10']);
    expect(losses([...usual, point(100, { b: 1000 })])).toEqual(['a is gone']);
    expect(losses([...usual, point(100, { a: 8, b: 1000 })])).toEqual([]);
  });

  it('is what the plan names and is gone, however long ago', () => {
    const firestore = { type: 'firestore', collections: ['users'] };
    const without = Array.from({ length: 8 }, () => point(100, { other: 1 }));
    expect(losses(without, firestore)).toEqual(['users is gone']);
    expect(losses(without)).toEqual([]);
  });

  it('is not what nobody counted, nor what was there once only', () => {
    const uncounted = (bytes: number): SizedPoint => ({ snapshot: 's', timeMs: NOW, bytes });
    expect(losses([point(100, { a: 10 }), point(100, { a: 10 }), uncounted(100)])).toEqual([]);
    const usual = Array.from({ length: 6 }, () => point(100, { b: 1 }));
    expect(losses([...usual, point(100, { a: 1, b: 1 }), point(100, { b: 1 })])).toEqual([]);
  });
});

describe('duration', () => {
  const took = (hours: number, agoMs = 0) => ({
    timeMs: NOW - agoMs,
    durationMs: hours * HOUR_MS,
    outcome: 'complete' as const,
  });

  it('is what took too long the last time, or has not ended: the longest of a source', () => {
    expect(messages('duration', { sources: [source({ backups: [took(3), took(1)] })] })).toEqual([]);
    expect(messages('duration', { sources: [source({ backups: [took(1), took(3)] })] })[0]).toContain('took 3 h');
    const proof = { ...took(4), state: 'proven', snapshot: 's', reason: '' } as const;
    expect(messages('duration', { sources: [source({ backups: [took(3)], proof })] })).toHaveLength(1);
    expect(messages('duration', { sources: [source({ proof })] })[0]).toContain('the proof of example');
    const running = (hours: number) => runs('backup:example', { runningMs: NOW - hours * HOUR_MS });
    expect(messages('duration', { sources: [source()], ...running(3) })[0]).toContain('running since 2026-03-10 09:00');
    expect(messages('duration', { sources: [source()], ...running(1) })).toEqual([]);
  });

  it('is a restore for a day', () => {
    expect(found('duration', { sources: [source({ restore: took(3, 23 * HOUR_MS) })] })).toHaveLength(1);
    expect(found('duration', { sources: [source({ restore: took(3, 25 * HOUR_MS) })] })).toEqual([]);
  });
});

describe('verification-failed', () => {
  const proof = (state: 'proven' | 'failed' | 'not-provable') => ({
    ...{ timeMs: NOW, durationMs: 1, state, snapshot: '12345678ab', reason: 'no rows', failingMs: NOW - DAY_MS },
  });

  it('is what did not come back, and what could not be proven', () => {
    expect(found('verification-failed', { sources: [source({ proof: proof('failed') })] })).toMatchObject([
      { message: 'snapshot 12345678 of example did not come back as it should: no rows', since: at(DAY_MS) },
    ]);
    expect(messages('verification-failed', { sources: [source({ proof: proof('not-provable') })] })[0]).toContain(
      'could not be proven',
    );
    expect(found('verification-failed', { sources: [source({ proof: proof('proven') })] })).toEqual([]);
  });

  it('is what cannot be read, told once where a proof of it failed too', () => {
    const unreadable = { snapshot: '12345678ab', sinceMs: NOW - DAY_MS, message: '2 problems' };
    expect(found('verification-failed', { sources: [source({ unreadable })] })).toMatchObject([
      {
        message: 'snapshot 12345678 of example is not as it was stored: 2 problems',
        since: at(DAY_MS),
        severity: 'p1',
      },
    ]);
    expect(found('verification-failed', { sources: [source({ unreadable, proof: proof('failed') })] })).toHaveLength(1);
  });

  it('goes by the last reading of a source', () => {
    const verified = (state: 'checked' | 'failed' | 'proven', day: number, level = 'checked') =>
      ledgerEvent('verification.finished', NOW + day * DAY_MS, {
        ...{ level, sources: [{ source: 'db', state, snapshot: 'ab', message: 'bad' }] },
      });
    const of = (...events: LedgerEvent[]) => unreadableIn('db', digestOfAll(events).bySource.get('db') ?? []);
    expect(of(verified('checked', 0), verified('failed', 1), verified('failed', 2))).toEqual({
      ...{ snapshot: 'ab', sinceMs: NOW + DAY_MS, message: 'bad' },
    });
    expect(of(verified('failed', 1), verified('checked', 2))).toBeUndefined();
    expect(of(verified('failed', 1), verified('proven', 2, 'proven'))).toBeDefined();
    expect(of(verified('failed', 1, 'proven'))).toBeUndefined();
    const check = (day: number, more: object = {}) =>
      ledgerEvent('check.finished', NOW + day * DAY_MS, {
        ...{ repository: 'main', clean: true, readData: true, ...more },
      });
    const { bySource } = digestOfAll([verified('failed', 1)]);
    const since = (checked: LedgerEvent) => unreadableIn('db', bySource.get('db')!, [checked]);
    expect(since(check(2))).toBeUndefined();
    for (const lesser of [
      check(0),
      check(2, { clean: false }),
      check(2, { readData: false }),
      check(2, { subset: '4%' }),
    ]) {
      expect(since(lesser)).toBeDefined();
    }
  });

  it('is a run that recorded no proof, and not twice where it did', () => {
    const daily = { name: 'daily', sources: ['example'] } as Facts['plan']['verifications'][number];
    const last = { timeMs: NOW, outcome: 'failed', message: 'no sandbox' } as const;
    const facts = { plan: { ...plan, verifications: [daily] }, ...runs('verify:daily', { last }) };
    expect(found('verification-failed', { ...facts, sources: [source()] })).toMatchObject([
      { subject: 'verification daily', message: 'the verification daily failed: no sandbox' },
    ]);
    expect(found('verification-failed', { ...facts, sources: [source({ proof: proof('failed') })] })).toMatchObject([
      { subject: 'example' },
    ]);
  });
});

describe('what watches the living', () => {
  const service = (more: Partial<NonNullable<Facts['samples']>['services'][number]>) => ({
    samples: { services: [{ service: 'api', samples: [], errorRates: [], ...more }], standbys: [] },
  });
  const good = exampleSamples(NOW, 1, { valueMs: 10 });

  it('calls a service down after three failures in a row', () => {
    const bad = (count: number) => [...good, ...exampleSamples(NOW, count, { error: 'refused' })];
    expect(messages('availability', service({ samples: bad(3) }))).toEqual(['api is down: refused']);
    expect(found('availability', service({ samples: bad(2) }))).toEqual([]);
    expect(found('availability', service({ samples: [...bad(3), ...good] }))).toEqual([]);
  });

  it('takes the 95th percentile of five minutes for latency', () => {
    const slow = (count: number) =>
      [...exampleSamples(NOW, 20 - count, { valueMs: 10 }), ...exampleSamples(NOW, count, { valueMs: 900 })].map(
        (sample, index) => ({ ...sample, timeMs: NOW - index * 1000 }),
      );
    expect(found('latency', service({ samples: slow(1) }))).toEqual([]);
    expect(found('latency', service({ samples: slow(2), from: 'eu' }))).toMatchObject([
      { message: 'api, asked from eu, takes longer than 500 ms for one in twenty answers' },
    ]);
    const older = slow(2).map((sample) => ({ ...sample, timeMs: sample.timeMs - 6 * MINUTE_MS }));
    expect(found('latency', service({ samples: older }))).toEqual([]);
  });

  it('takes an error rate for one once it has lasted', () => {
    const rates = (...shares: number[]) =>
      shares.map((share, index) => ({ timeMs: NOW - (shares.length - 1 - index) * 60_000, share }));
    expect(found('error-rate', service({ errorRates: rates(0.5, 0.5, 0.5, 0.5, 0.5, 0.5) }))).toMatchObject([
      { since: at(5 * MINUTE_MS) },
    ]);
    expect(found('error-rate', service({ errorRates: rates(0.5, 0.5, 0.5, 0, 0.5, 0.5) }))).toEqual([]);
  });

  it('measures standbys and mirrors by how far they are behind, and one that says nothing as well', () => {
    const standby = (samples: object[]) =>
      ({ samples: { services: [], standbys: [{ standby: 'eu', of: 'db', samples }] } }) as Partial<Facts>;
    expect(found('replication-lag', standby(exampleSamples(NOW, 3, { valueMs: 10 * MINUTE_MS })))).toMatchObject([
      { subject: 'eu', since: at(MINUTE_MS) },
    ]);
    expect(found('replication-lag', standby(exampleSamples(NOW, 3, { valueMs: MINUTE_MS })))).toEqual([]);
    expect(found('replication-lag', standby(exampleSamples(NOW, 30, { error: 'refused' })))).toHaveLength(1);
    expect(found('replication-lag', standby(exampleSamples(NOW, 3, { error: 'refused' })))).toEqual([]);
    const mirror = (lagMs: number) => ({ mirrors: [{ mirror: 'm', of: 'main', isKnown: true, lagMs }] });
    expect(found('replication-lag', mirror(5 * MINUTE_MS))).toEqual([]);
    expect(found('replication-lag', mirror(6 * MINUTE_MS))).toMatchObject([
      { subject: 'm', command: 'holdfast replicate main' },
    ]);
  });
});

describe('log-stalled', () => {
  const logged = (log: object, more: object = {}) => {
    const facts = source(more, { type: 'redis', stream: true } as Partial<SourceFacts['source']>);
    const last = { snapshot: 's', time: at(DAY_MS), outcome: 'complete', proof: 'stored' } as const;
    return { sources: [{ ...facts, status: { ...facts.status, last, log: { gaps: [], ...log } } }] };
  };

  it('is a log that ends too long ago, one that never came, one that was left, and one with a gap', () => {
    expect(found('log-stalled', logged({ time: at(4 * MINUTE_MS) }))).toEqual([]);
    expect(found('log-stalled', logged({ time: at(6 * MINUTE_MS) }))).toMatchObject([
      { since: at(6 * MINUTE_MS), severity: 'p1' },
    ]);
    expect(messages('log-stalled', logged({}))[0]).toContain('nothing of the log of example came since 2026-03-09');
    const stopped = { timeMs: NOW - 6 * MINUTE_MS, message: 'the slot is gone' };
    expect(messages('log-stalled', logged({ time: at(0) }, { stopped }))).toEqual([
      'following example ended: the slot is gone',
    ]);
    const gaps = [{ timeline: 1, start: '0/1', end: '0/2' }];
    expect(messages('log-stalled', logged({ time: at(0), gaps }))[0]).toContain('gone, from 0/1 to 0/2');
    expect(found('log-stalled', { sources: [source()] })).toEqual([]);
  });
});

describe('what is seen of repositories', () => {
  const repository = (more: object) => ({ repositories: [exampleRepository(plan, more)] });
  const error = new HoldfastError('store-unreachable', 'the store does not answer');

  it('is a lock that nobody refreshed for a day', () => {
    const lock = (agoMs: number) => ({ id: 'l', holder: 'root on db1', sinceMs: NOW - agoMs });
    expect(found('stale-lock', repository({ locks: [lock(HOUR_MS)] }))).toEqual([]);
    expect(
      messages('stale-lock', repository({ locks: [lock(HOUR_MS), lock(25 * HOUR_MS), lock(26 * HOUR_MS)] })),
    ).toEqual(['example has a lock of root on db1 that nobody has refreshed since 2026-03-09 10:00 UTC, and 1 more']);
  });

  it('is that it is away, once that has lasted; a mirror and an archive as well', () => {
    const away = (agoMs: number) => ({ failure: { error, sinceMs: NOW - agoMs } });
    expect(found('repository-unreachable', repository(away(4 * MINUTE_MS)))).toEqual([]);
    expect(messages('repository-unreachable', repository(away(HOUR_MS)))).toEqual([
      'example cannot be had since 2026-03-10 11:00 UTC: the store does not answer',
    ]);
    const mirrors = [{ mirror: 'm', of: 'main', isKnown: false, ...away(HOUR_MS) }];
    const archives = [{ archive: 'a', from: 'main', isKnown: false, overdue: [], ...away(HOUR_MS) }];
    expect(found('repository-unreachable', { mirrors, archives }).map(({ subject }) => subject)).toEqual(['m', 'a']);
  });

  it('is damage at once, also what was put back', () => {
    const damage = [{ what: 'a check found 3 errors', timeMs: NOW - HOUR_MS }, { what: 'more' }];
    expect(messages('repository-unreachable', repository({ damage }))).toEqual([
      'example: a check found 3 errors, and 1 more',
    ]);
    const healed = {
      repository: 'example',
      objects: 1,
      last: { time: at(HOUR_MS), object: 'data/x', from: 'eu', reason: 'it was cut' },
    };
    expect(messages('repository-unreachable', repository({ healed }))[0]).toContain('put back from eu: it was cut');
  });

  it('leaves open what cannot be known meanwhile', () => {
    const main = { ...source().source, repository: 'main' };
    const sources = new Map([
      ['db', { ...main, name: 'db' }],
      ['other', { ...main, name: 'other', repository: 'second' }],
    ]);
    const facts = exampleFacts({ ...plan, sources }, NOW, {
      sources: [...sources.values()].map((each) => ({ ...source(), source: each })),
      repositories: [
        { ...exampleRepository(plan), repository: 'main', failure: { error, sinceMs: NOW } },
        { ...exampleRepository(plan), repository: 'second' },
      ],
    });
    const unknown = (rule: RuleName, subject: string, of = facts) => isUnknown({ rule, subject }, of);
    expect(unknown('backup-failed', 'db')).toBe(true);
    expect(unknown('backup-failed', 'other')).toBe(false);
    expect(unknown('stale-lock', 'main')).toBe(true);
    expect(unknown('repository-unreachable', 'main')).toBe(false);
    expect(unknown('review-overdue', 'plan')).toBe(false);
    expect(unknown('review-overdue', 'plan', { ...facts, record: { ...facts.record, isKnown: false } })).toBe(true);
    expect(unknown('backup-failed', 'other', { ...facts, sources: [] })).toBe(true);
  });
});

describe('what is to be done again and again', () => {
  it('is a review that was not recorded within a day of when it was due', () => {
    const monthly = { kind: 'cron', text: 'monthly', pattern: '0 0 1 * *' } as const;
    const reviewed = (agoDays: number, nowMs = NOW) => {
      const { record } = exampleFacts(plan, NOW, {});
      const reviews = new Map([['strategy', NOW - agoDays * DAY_MS] as const]);
      const facts = exampleFacts({ ...plan, reviews: new Map([['strategy', monthly]]) }, nowMs, {
        record: { ...record, reviews },
      });
      return conditionsOf(ALERT_RULES['review-overdue'], facts, ruleOf('review-overdue'));
    };
    expect(reviewed(20)).toMatchObject([{ subject: 'strategy', since: '2026-03-01T00:00:00.000Z' }]);
    expect(reviewed(5)).toEqual([]);
    expect(reviewed(20, Date.parse('2026-03-01T23:59:00Z'))).toEqual([]);
  });

  it('is what else failed or died, until it was done', () => {
    const failed = (outcome: 'failed' | 'died' | 'missed' | 'done', task = 'prune:main') =>
      found('upkeep-failed', runs(task, { last: { timeMs: NOW, outcome } }));
    expect(failed('failed')).toMatchObject([{ subject: 'prune:main', command: 'holdfast prune main' }]);
    expect(failed('died')).toHaveLength(1);
    expect(failed('done')).toEqual([]);
    expect(failed('failed', 'backup:db')).toEqual([]);
    expect(failed('failed', 'duty:heartbeat')).toMatchObject([{ command: 'holdfast doctor' }]);
    const event = (kind: string, body: object, agoMs: number) => ({ kind, body, time: at(agoMs) }) as LedgerEvent;
    const events = [
      event('run.started', { run: 'r', task: 'replicate:eu', attempt: 1 }, 3),
      event('run.finished', { run: 'r', task: 'replicate:eu', outcome: 'failed', durationMs: 1 }, 2),
      event('tasks.changed', { timezone: 'UTC', planned: [], removed: ['replicate:eu'] }, 1),
    ];
    const of = (count: number) =>
      found('upkeep-failed', {
        record: recordOf(byTime(digestOfAll(events.slice(0, count)).record), { isKnown: true, beganMs: NOW }),
      });
    expect(of(2)).toHaveLength(1);
    expect(of(3)).toEqual([]);
  });

  it('is a drill that was not held, or failed', () => {
    const schedule = { kind: 'every', text: 'every 30d', everyMs: 30 * DAY_MS } as const;
    const drills = [{ name: '1', runbooks: ['region'], schedule, isRescue: false }];
    const ofDrill = (outcome: string, heldMs: number) => {
      const events = [
        ledgerEvent('drill.started', NOW - heldMs, { drill: 'd', runbook: 'region' }),
        ledgerEvent('drill.finished', NOW - heldMs, { drill: 'd', outcome, durationMs: 1 }),
      ];
      const beganMs = NOW - 90 * DAY_MS;
      const record = recordOf(byTime(digestOfAll(events).record), { isKnown: true, beganMs });
      return found('drill-overdue', { plan: { ...plan, drills }, record });
    };
    expect(ofDrill('partial', DAY_MS / 2)).toEqual([]);
    expect(ofDrill('partial', 70 * DAY_MS)).toMatchObject([{ subject: 'region' }]);
    for (const outcome of ['failed', 'died', 'aborted'])
      expect(ofDrill(outcome, DAY_MS / 2), outcome).toMatchObject([{ subject: 'region' }]);
  });

  it('is a drill of a rescue as well, which no runbook stands for', () => {
    const schedule = { kind: 'every', text: 'every 30d', everyMs: 30 * DAY_MS } as const;
    const drills = [{ name: '2', runbooks: ['region'], schedule, isRescue: true }];
    const ofRescue = (body: object) => {
      const events = [ledgerEvent('rescue.finished', at(DAY_MS / 2), body)];
      const record = recordOf(byTime(digestOfAll(events).record), { isKnown: true, beganMs: NOW - 90 * DAY_MS });
      return found('drill-overdue', { plan: { ...plan, drills }, record });
    };
    const task = 'drill:rescue-2';
    const back = { source: 'db', outcome: 'complete' };
    const lost = { source: 'files', outcome: 'unknown-snapshot' };
    expect(ofRescue({ task, outcome: 'missed', sources: [back] })).toEqual([]);
    expect(ofRescue({ task, outcome: 'partial', sources: [back, { ...back, outcome: 'partial' }] })).toEqual([]);
    const overdue = [{ subject: 'rescue', command: 'holdfast rescue --drill' }];
    expect(ofRescue({ task, outcome: 'partial', sources: [back, lost] })).toMatchObject(overdue);
    expect(ofRescue({ task, outcome: 'failed', sources: [lost] })).toMatchObject(overdue);
    expect(ofRescue({ outcome: 'done', sources: [back] })).toMatchObject(overdue);
  });
});

describe('kit-overdue', () => {
  const event = (kind: string, daysAgo: number, body: object) =>
    ({ kind, body, time: at(daysAgo * DAY_MS) }) as LedgerEvent;
  const made = (daysAgo: number, key = 'of the kit') =>
    event('kit.made', daysAgo, { key, sha256: `of ${daysAgo} days ago` });
  const checked = (daysAgo: number, outcome: string, madeDaysAgo: number) =>
    event('kit.checked', daysAgo, {
      outcome,
      sha256: `of ${madeDaysAgo} days ago`,
      problems: ['the plan has changed since'],
    });
  const removed = (daysAgo: number, key: string) => event('key.removed', daysAgo, { repository: 'main', key });
  const of = (events: LedgerEvent[], beganDaysAgo = 200) => {
    const record = recordOf(digestOfAll(events).record, { isKnown: true, beganMs: NOW - beganDaysAgo * DAY_MS });
    return messages('kit-overdue', { record });
  };

  it('is that there is none, once there should have been one for long', () => {
    expect(of([], 89)).toEqual([]);
    expect(of([], 91)).toEqual(['there is no recovery kit']);
  });

  it('is one that nobody has made or checked for long', () => {
    expect(of([made(91)])).toEqual([expect.stringContaining('neither made nor checked')]);
    expect(of([made(89)])).toEqual([]);
    expect(of([made(91), checked(1, 'current', 91)])).toEqual([]);
  });

  it('is one that a check found outdated, until there is a new one, or it is found current', () => {
    const outdated = [made(9), checked(5, 'outdated', 9)];
    expect(of(outdated)).toEqual([expect.stringContaining('the plan has changed since')]);
    expect(of([...outdated, made(4)])).toEqual([]);
    expect(of([...outdated, checked(4, 'current', 9)])).toEqual([]);
    expect(of([made(20), made(9), checked(5, 'outdated', 20)])).toEqual([]);
  });

  it('is one that is older than a key that was taken away, unless that was of an earlier kit', () => {
    expect(of([made(9), removed(5, 'of a person')])).toEqual([expect.stringContaining('had a key taken away')]);
    expect(of([made(9), removed(5, 'of a person'), made(4)])).toEqual([]);
    expect(of([made(20, 'of the first'), made(9), removed(5, 'of the first')])).toEqual([]);
  });

  it('is one whose own key was taken away: it opens nothing more', () => {
    const lost = [expect.stringContaining('its own key to main was taken away')];
    expect(of([made(9), removed(5, 'of the kit')])).toEqual(lost);
    const ofTwo = [made(9, 'of main'), made(9, 'of the second repository')];
    expect(of([...ofTwo, removed(5, 'of main')])).toEqual(lost);
    expect(of([...ofTwo, removed(5, 'of main'), made(4, 'another')])).toEqual([]);
  });
});
