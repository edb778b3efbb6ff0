import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CalendarDuration } from '../foundation/units.ts';
import { type DatedSnapshot, judge, type RetentionPolicy } from './retention.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const UTC = { timezone: 'UTC', nowMs: NOW };
const HOUR_MS = 3_600_000;

function at(...times: string[]): DatedSnapshot[] {
  return times.map((time) => ({ timeMs: Date.parse(time) }));
}

/** The times that are kept, newest first. */
function kept(snapshots: DatedSnapshot[], policy: RetentionPolicy, timezone = 'UTC'): string[] {
  return judge(snapshots, policy, { timezone, nowMs: NOW })
    .filter(({ reasons }) => reasons.length > 0)
    .map(({ snapshot }) => new Date(snapshot.timeMs).toISOString());
}

interface Cases {
  snapshots: { time: string; tags?: string[] }[];
  cases: {
    case: number;
    policy: Record<string, number | string | string[][]>;
    keep: { time: string; tags?: string[] }[];
  }[];
}

/** Its durations have `m` for months, as restic's do. */
function spanOf(text: string): CalendarDuration {
  const parts = Object.fromEntries(
    [...text.matchAll(/(\d+)([ymdh])/g)].map(([, amount, unit]) => [unit, Number(amount)]),
  );
  return {
    months: (parts['y'] ?? 0) * 12 + (parts['m'] ?? 0),
    ms: ((parts['d'] ?? 0) * 24 + (parts['h'] ?? 0)) * HOUR_MS,
  };
}

function policyOf(written: Cases['cases'][number]['policy']): RetentionPolicy {
  return Object.fromEntries(
    Object.entries(written).map(([rule, value]) => {
      if (Array.isArray(value)) return [rule, value.flat()];
      return [rule, rule.startsWith('within') ? spanOf(value as string) : value];
    }),
  );
}

describe('the known cases', () => {
  const { snapshots, cases } = JSON.parse(
    readFileSync(new URL('../../test/fixtures/retention/cases.json', import.meta.url), 'utf8'),
  ) as Cases;
  const dated = snapshots.map(({ time, tags }) => ({ timeMs: Date.parse(time), ...(tags && { tags }) }));

  it.each(cases.map((each) => [each.case, JSON.stringify(each.policy), each] as const))(
    'case %i keeps what it should: %s',
    (_number, _policy, { policy, keep }) => {
      expect(kept(dated, policyOf(policy))).toEqual(keep.map(({ time }) => new Date(time).toISOString()));
    },
  );
});

describe('a reason', () => {
  const snapshots = at('2026-01-01T09:10:00Z', '2026-02-01T22:00:00Z', '2026-02-02T09:10:00Z', '2026-02-02T10:00:00Z');
  const reasonsOf = (policy: RetentionPolicy) => judge(snapshots, policy, UTC).map(({ reasons }) => reasons);

  it('names every rule that keeps the snapshot, and the period that it stands for', () => {
    expect(reasonsOf({ last: 1, hourly: 2, daily: 1, weekly: 1, monthly: 1, yearly: 1 })).toEqual([
      [
        { rule: 'last' },
        { rule: 'hourly', period: '2026-02-02 10:00' },
        { rule: 'daily', period: '2026-02-02' },
        { rule: 'weekly', period: '2026-W06' },
        { rule: 'monthly', period: '2026-02' },
        { rule: 'yearly', period: '2026' },
      ],
      [{ rule: 'hourly', period: '2026-02-02 09:00' }],
      [],
      [],
    ]);
  });

  it('says where the time before the newest begins', () => {
    expect(reasonsOf({ within: { months: 0, ms: HOUR_MS }, withinDaily: { months: 1, ms: 0 } })).toEqual([
      [
        { rule: 'within', since: '2026-02-02T09:00:00.000Z' },
        { rule: 'withinDaily', period: '2026-02-02', since: '2026-01-02T10:00:00.000Z' },
      ],
      [{ rule: 'within', since: '2026-02-02T09:00:00.000Z' }],
      [{ rule: 'withinDaily', period: '2026-02-01', since: '2026-01-02T10:00:00.000Z' }],
      [],
    ]);
  });

  it('says that a snapshot is kept as the oldest, where a rule has counts left', () => {
    expect(reasonsOf({ yearly: 2 }).at(-1)).toEqual([{ rule: 'yearly', period: '2026', oldest: true }]);
  });

  it('names the tag', () => {
    const [judged] = judge([{ timeMs: 0, tags: ['a', 'b'] }], { tags: ['b', 'c'] }, UTC);
    expect(judged?.reasons).toEqual([{ rule: 'tags', tag: 'b' }]);
  });
});

describe('periods on the clocks of a time zone', () => {
  it('begin when they begin there', () => {
    // 23:30 and 00:30 in Berlin.
    const snapshots = at('2026-06-01T21:30:00Z', '2026-06-01T22:30:00Z', '2026-06-01T23:30:00Z');
    expect(kept(snapshots, { daily: 1 }, 'Europe/Berlin')).toEqual(['2026-06-01T23:30:00.000Z']);
    expect(kept(snapshots, { daily: 2 }, 'Europe/Berlin')).toEqual([
      '2026-06-01T23:30:00.000Z',
      '2026-06-01T21:30:00.000Z',
    ]);
    // In UTC all three are of one day: the second place is the oldest's.
    expect(kept(snapshots, { daily: 3 })).toEqual(['2026-06-01T23:30:00.000Z', '2026-06-01T21:30:00.000Z']);
  });

  it('have both hours where one comes twice, and days of 23 and 25 hours', () => {
    // Berlin goes back at 01:00 UTC: 02:30 comes at 00:30 and at 01:30 UTC.
    const back = at('2026-10-25T00:30:00Z', '2026-10-25T00:45:00Z', '2026-10-25T01:30:00Z', '2026-10-25T22:30:00Z');
    expect(kept(back, { hourly: 3 }, 'Europe/Berlin')).toEqual([
      '2026-10-25T22:30:00.000Z',
      '2026-10-25T01:30:00.000Z',
      '2026-10-25T00:45:00.000Z',
    ]);
    expect(kept(back, { daily: 1 }, 'Europe/Berlin')).toEqual(['2026-10-25T22:30:00.000Z']);
    const forward = at('2026-03-28T22:59:00Z', '2026-03-28T23:01:00Z', '2026-03-29T21:59:00Z', '2026-03-29T22:01:00Z');
    expect(kept(forward, { daily: 3 }, 'Europe/Berlin')).toEqual([
      '2026-03-29T22:01:00.000Z',
      '2026-03-29T21:59:00.000Z',
      '2026-03-28T22:59:00.000Z',
    ]);
  });

  it('hold hours of zones that are half an hour off', () => {
    const snapshots = at('2026-06-01T10:29:00Z', '2026-06-01T10:31:00Z');
    expect(kept(snapshots, { hourly: 2 }, 'Asia/Kolkata')).toHaveLength(2);
    expect(kept(snapshots, { hourly: 1 }, 'Asia/Kolkata')).toEqual(['2026-06-01T10:31:00.000Z']);
  });

  it('count weeks from Monday, in the year of their Thursday', () => {
    const names = (time: string) => judge(at(time), { weekly: 1 }, UTC)[0]?.reasons[0]?.period;
    expect(names('2026-01-01T00:00:00Z')).toBe('2026-W01');
    expect(names('2027-01-03T23:59:59Z')).toBe('2026-W53');
    expect(names('2027-01-04T00:00:00Z')).toBe('2027-W01');
    expect(names('2024-12-30T00:00:00Z')).toBe('2025-W01');
  });

  it('take months back at the same time of day, whatever the clocks did between', () => {
    const newest = '2026-04-15T10:00:00Z';
    const month = { months: 1, ms: 0 };
    // 12:00 in Berlin is 10:00 UTC in April and 11:00 UTC in March.
    expect(
      kept(at('2026-03-15T10:59:00Z', '2026-03-15T11:01:00Z', newest), { within: month }, 'Europe/Berlin'),
    ).toEqual(['2026-04-15T10:00:00.000Z', '2026-03-15T11:01:00.000Z']);
    expect(kept(at('2026-03-02T10:00:00Z', '2026-03-03T10:01:00Z', '2026-03-31T10:00:00Z'), { within: month })).toEqual(
      ['2026-03-31T10:00:00.000Z', '2026-03-03T10:01:00.000Z'],
    );
  });
});

describe('a snapshot of the future', () => {
  it("is kept, and takes nobody's place", () => {
    const judged = judge(at('2099-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'), { last: 1 }, UTC);
    expect(judged.map(({ reasons }) => reasons)).toEqual([[{ rule: 'future' }], [{ rule: 'last' }], []]);
    const within = kept(at('2099-01-01T00:00:00Z', '2026-01-01T00:00:00Z'), { within: { months: 0, ms: HOUR_MS } });
    expect(within).toHaveLength(2);
  });
});

const count = fc.option(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant('forever' as const)), { nil: undefined });
const span = fc.option(
  fc.record({ months: fc.integer({ min: 0, max: 20 }), ms: fc.integer({ min: 0, max: 90 * 24 * HOUR_MS }) }),
  {
    nil: undefined,
  },
);
const policies = fc
  .record({
    last: count,
    hourly: count,
    daily: count,
    weekly: count,
    monthly: count,
    yearly: count,
    within: span,
    withinHourly: span,
    withinDaily: span,
    withinWeekly: span,
    withinMonthly: span,
    withinYearly: span,
  })
  .map(
    (policy) =>
      Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined)) as RetentionPolicy,
  );
const histories = fc
  .array(fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2027, 0) }), { maxLength: 60 })
  .map((times) => times.map((timeMs) => ({ timeMs })));
const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
);

describe('any policy', () => {
  const check = (property: (history: DatedSnapshot[], policy: RetentionPolicy, zone: string) => void) =>
    fc.assert(fc.property(histories, policies, zones, property));

  it('judges every snapshot once, newest first', () => {
    check((history, policy, zone) => {
      const judged = judge(history, policy, { timezone: zone, nowMs: NOW }).map(({ snapshot }) => snapshot);
      expect(judged).toEqual(history.toSorted((a, b) => b.timeMs - a.timeMs));
    });
  });

  it('keeps the newest snapshot when it keeps anything', () => {
    check((history, policy, zone) => {
      const judged = judge(history, policy, { timezone: zone, nowMs: NOW });
      if (judged.some(({ reasons }) => reasons.length > 0)) expect(judged[0]?.reasons).not.toEqual([]);
    });
  });

  it('keeps what its rules keep one by one', () => {
    check((history, policy, zone) => {
      const together = kept(history, policy, zone);
      const alone = Object.entries(policy).flatMap(([rule, value]) => kept(history, { [rule]: value }, zone));
      expect(new Set(together)).toEqual(new Set(alone));
    });
  });

  it('keeps the same again of what it kept', () => {
    check((history, policy, zone) => {
      const first = kept(history, policy, zone);
      expect(kept(at(...first), policy, zone)).toEqual(first);
    });
  });

  it('keeps no more for a rule than its count, each of a period of its own', () => {
    check((history, policy, zone) => {
      const reasons = judge(history, policy, { timezone: zone, nowMs: NOW }).flatMap((each) => each.reasons);
      for (const rule of ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const) {
        const by = reasons.filter((reason) => reason.rule === rule);
        if (typeof policy[rule] === 'number') expect(by.length).toBeLessThanOrEqual(policy[rule]);
        const periods = by.filter(({ oldest }) => oldest === undefined && rule !== 'last').map(({ period }) => period);
        // Two hours have one name where the clocks go back.
        if (rule !== 'hourly') expect(new Set(periods).size).toBe(periods.length);
      }
    });
  });

  it('keeps all that a smaller count keeps', () => {
    fc.assert(
      fc.property(
        histories,
        fc.constantFrom('last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'),
        fc.nat(20),
        zones,
        (history, rule, size, zone) => {
          const more = new Set(kept(history, { [rule]: size + 1 }, zone));
          for (const time of kept(history, { [rule]: size }, zone)) expect(more).toContain(time);
        },
      ),
    );
  });
});

it('keeps the newest of each minute, which restic has no rule for', () => {
  const snapshots = at(
    '2029-12-31T10:00:05Z',
    '2029-12-31T12:00:10Z',
    '2029-12-31T12:00:50Z',
    '2029-12-31T12:01:00Z',
    '2029-12-31T12:01:05Z',
  );
  const newest = ['2029-12-31T12:01:05.000Z', '2029-12-31T12:00:50.000Z'];
  expect(kept(snapshots, { withinMinutely: { months: 0, ms: HOUR_MS } })).toEqual(newest);
  expect(kept(snapshots, { minutely: 2 })).toEqual(newest);
  const [first] = judge(snapshots, { minutely: 1 }, UTC);
  expect(first!.reasons).toEqual([{ rule: 'minutely', period: '2029-12-31 12:01' }]);
});
