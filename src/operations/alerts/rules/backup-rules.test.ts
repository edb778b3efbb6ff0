import { describe, expect, it } from 'vitest';
import {
  at,
  DAY_MS,
  found,
  HOUR_MS,
  MINUTE_MS,
  messages,
  NOW,
  plan,
  ruleOf,
  runs,
  source,
} from '../../../../test/support/alert-facts.ts';
import { ledgerEvent } from '../../../../test/support/ledger-event.ts';
import { conditionsOf } from '../condition.ts';
import { recordOf } from '../facts/digest.ts';
import type { Facts, SizedPoint, SourceFacts } from '../facts/facts.ts';
import { exampleFacts } from './example.ts';
import { ALERT_RULES } from './index.ts';

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
