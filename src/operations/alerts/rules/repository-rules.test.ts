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
  runs,
  source,
} from '../../../../test/support/alert-facts.ts';
import { digestOfAll } from '../../../../test/support/digest.ts';
import { ledgerEvent } from '../../../../test/support/ledger-event.ts';
import { HoldfastError } from '../../../foundation/errors.ts';
import type { LedgerEvent } from '../../../ledger/index.ts';
import type { RuleName } from '../../../plan/index.ts';
import { unreadableIn } from '../facts/digest.ts';
import type { Facts } from '../facts/facts.ts';
import { exampleFacts, exampleRepository } from './example.ts';
import { isUnknown } from './index.ts';

describe('verification-failed', () => {
  const proof = (state: 'proven' | 'failed' | 'not-provable') => ({
    ...{ timeMs: NOW, durationMs: 1, state, snapshot: '12345678ab', reason: 'no rows', failingMs: NOW - DAY_MS },
  });

  it('is what did not come back, and what could not be proven', () => {
    expect(found('verification-failed', { sources: [source({ proof: proof('failed') })] })).toMatchObject([
      { message: 'snapshot 12345678 of example did not come back as it should: no rows', since: at(DAY_MS) },
    ]);
    expect(found('verification-failed', { sources: [source({ proof: proof('not-provable') })] })).toMatchObject([
      { message: expect.stringContaining('could not be proven'), command: 'holdfast doctor example' },
    ]);
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
      'example has been out of reach since 2026-03-10 11:00 UTC: the store does not answer',
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
    const mirrors = new Map([['eu', { of: 'example' }]]) as unknown as Facts['plan']['mirrors'];
    const mends = (planned: Facts['plan']) =>
      found('repository-unreachable', { ...repository({ damage }), plan: planned }).map(({ command }) => command);
    expect(mends(plan)).toEqual(['holdfast check example --read-data']);
    expect(mends({ ...plan, mirrors })).toEqual(['holdfast check example --repair']);
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
