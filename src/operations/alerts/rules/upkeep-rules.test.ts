import { describe, expect, it } from 'vitest';
import { at, byTime, DAY_MS, found, messages, NOW, plan, ruleOf, runs } from '../../../../test/support/alert-facts.ts';
import { digestOfAll } from '../../../../test/support/digest.ts';
import { ledgerEvent } from '../../../../test/support/ledger-event.ts';
import type { LedgerEvent } from '../../../ledger/index.ts';
import { conditionsOf } from '../condition.ts';
import { recordOf } from '../facts/digest.ts';
import { exampleFacts } from './example.ts';
import { ALERT_RULES } from './index.ts';

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
    expect(failed('failed', 'checkpoint:main')).toMatchObject([{ command: 'holdfast ledger checkpoint main' }]);
    expect(failed('died', 'drill:region-failure-1')).toMatchObject([{ command: 'holdfast drill region-failure' }]);
    expect(failed('died', 'drill:rescue-2')).toMatchObject([{ command: 'holdfast rescue --drill' }]);
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
