import { describe, expect, it } from 'vitest';
import { at, DAY_MS, found, MINUTE_MS, messages, NOW, plan, source } from '../../../../test/support/alert-facts.ts';
import type { Facts, SourceFacts } from '../facts/facts.ts';
import { exampleSamples } from './example.ts';

describe('what watches the living', () => {
  const service = (more: Partial<NonNullable<Facts['samples']>['services'][number]>) => ({
    samples: { services: [{ service: 'api', samples: [], errorRates: [], ...more }], standbys: [] },
  });
  const good = exampleSamples(NOW, 1, { valueMs: 10 });

  it('calls a service down after three failures in a row', () => {
    const bad = (count: number) => [...good, ...exampleSamples(NOW, count, { error: 'refused' })];
    expect(found('availability', service({ samples: bad(3) }))).toMatchObject([
      { message: 'api is down: refused', command: 'holdfast services' },
    ]);
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
    // Of what is asked every ten minutes three answers never come within five.
    const seldom = [20, 10, 0].map((agoMinutes) => ({ timeMs: NOW - agoMinutes * MINUTE_MS, valueMs: 900 }));
    const api = { name: 'api', http: 'http://api', everyMs: 10 * MINUTE_MS, timeoutMs: 10_000 };
    const planned = { plan: { ...plan, services: new Map([['api', api]]) } };
    expect(found('latency', { ...service({ samples: seldom }), ...planned })).toHaveLength(1);
    expect(found('latency', { ...service({ samples: seldom.slice(1) }), ...planned })).toEqual([]);
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
    // A clock that was set back must not hide that nothing comes.
    expect(messages('log-stalled', logged({ time: at(-60 * MINUTE_MS) }))[0]).toContain('which has not come');
  });
});
