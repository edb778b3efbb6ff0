import { describe, expect, it } from 'vitest';
import { ledgerEvent } from '../../../test/support/ledger-event.ts';
import { planWith } from '../../../test/support/plan.ts';
import type { EventBodies, EventKind, LedgerEvent } from '../../ledger/index.ts';
import type { Plan } from '../../plan/index.ts';
import { type Agenda, agendaOf } from './agenda.ts';

const plan: Plan = planWith({
  sources: new Map([
    ['db', { name: 'db' } as never],
    ['files', { name: 'files' } as never],
  ]),
  runbooks: new Map([
    ['lost', { name: 'lost' } as never],
    ['forgotten', { name: 'forgotten' } as never],
  ]),
  drills: [{ name: '1', runbooks: ['lost'], schedule: { kind: 'every', text: 'x', everyMs: 1 }, isRescue: false }],
  reviews: new Map([
    ['strategy', { kind: 'every', text: 'x', everyMs: 1 }],
    ['audit', { kind: 'every', text: 'x', everyMs: 1 }],
  ]),
});

/** Of a day of March. */
function event<Kind extends EventKind>(day: number, kind: Kind, body: Partial<EventBodies[Kind]>): LedgerEvent {
  return ledgerEvent(kind, Date.UTC(2026, 2, day), body);
}

const proven = (day: number, source: string) =>
  event(day, 'proof.recorded', { source, state: 'proven', checksFailed: [], durationMs: 1 });
const failed = (day: number) => event(day, 'backup.failed', { source: 'db', code: 'x', message: 'the disk is full' });
const done = (day: number) =>
  event(day, 'backup.finished', { source: 'db', outcome: 'complete', bytesProcessed: 1, durationMs: 1 });
const held = (day: number, review = 'strategy') => event(day, 'review.recorded', { review, attended: ['Ada'] });

function agenda(review: 'strategy' | 'plan' | 'audit', events: LedgerEvent[], more: object = {}): Agenda {
  const nowMs = Date.parse('2026-03-31T00:00:00Z');
  return agendaOf({ plan, review, events, statuses: [], unapplied: [], nowMs, ...more });
}

const texts = (items: Agenda['failed']) => items.map(({ text, at }) => (at ? `${at.slice(8, 10)} ${text}` : text));

describe('the agenda of a review', () => {
  it('is of what was recorded since the last of its kind, or ever', () => {
    const events = [failed(1), held(10), held(12, 'audit'), done(14), failed(15), done(16)];
    const strategy = agenda('strategy', events);
    expect([strategy.since.slice(0, 10), strategy.wasHeld]).toEqual(['2026-03-10', true]);
    expect(texts(strategy.failed)).toEqual([
      '15 backups of db: 1 of 3 not as they should be, the last failed: the disk is full',
    ]);
    expect(agenda('plan', events)).toMatchObject({ since: '2026-03-01T00:00:00.000Z', wasHeld: false });
    expect(agenda('audit', events).since.slice(0, 10)).toBe('2026-03-12');
  });

  it('names what was never tested, and what was not since', () => {
    const events = [proven(2, 'db'), held(10), proven(11, 'files')];
    const drill = [
      event(3, 'drill.started', { drill: 'd', runbook: 'lost' }),
      event(3, 'drill.finished', { drill: 'd', outcome: 'done' }),
    ];
    expect(texts(agenda('strategy', events).untested)).toEqual(['02 db restored and validated: not since']);
    expect(texts(agenda('audit', [...drill, ...events, held(20, 'audit')]).untested)).toEqual([
      '02 db restored and validated: not since',
      '11 files restored and validated: not since',
      '03 the runbook lost drilled: not since',
      'the runbook forgotten, which no drill of the plan names, drilled: never',
      'the recovery kit held against the repositories: never',
      '10 the review of the strategy held: not since',
      '20 the review of the audit held: not since',
    ]);
    expect(texts(agenda('plan', drill).untested)[0]).toBe(
      'the runbook forgotten, which no drill of the plan names, drilled: never',
    );
  });

  it('names a rescue that nobody tried, which drills no runbook', () => {
    const [drill] = plan.drills;
    const drills = [{ ...drill!, runbooks: ['lost', 'forgotten'], isRescue: true }];
    const wanted = [
      'a rescue from the recovery kit drilled: never',
      'the runbook lost, which no drill of the plan names, drilled: never',
    ];
    expect(texts(agenda('plan', [], { plan: { ...plan, drills } }).untested)).toEqual(expect.arrayContaining(wanted));
    const held = event(3, 'rescue.finished', { outcome: 'done', durationMs: 1 });
    expect(texts(agenda('plan', [held], { plan: { ...plan, drills } }).untested).join()).not.toContain('a rescue');
  });

  it('says what changed: of the plan to every review, of keys and tokens to the audit alone', () => {
    const events = [
      event(1, 'plan.applied', { revision: 1, why: 'the first' }),
      held(10),
      event(11, 'plan.applied', { revision: 2, why: 'less', weakened: ['the retention of db is shorter'], by: 'ben' }),
      event(12, 'key.added', { repository: 'main', key: 'abcdefghij' }),
      event(13, 'source.moved', { source: 'db' }),
    ];
    const unapplied = [{ path: 'sources.db.schedule', kind: 'changed' as const }];
    expect(texts(agenda('strategy', events, { unapplied }).changed)).toEqual([
      'in the file, and not applied: sources.db.schedule (changed)',
      '11 revision 2 of the plan, by ben: less; weakened: the retention of db is shorter',
    ]);
    expect(texts(agenda('audit', events).changed)).toEqual(
      expect.arrayContaining(['12 key abcdefgh of main added, by ada@db1', '13 the server of db is another one']),
    );
    expect(texts(agenda('plan', events).changed).join()).not.toContain('key');
  });

  it('has alerts that were raised, and those that are open though they are older', () => {
    const raised = (day: number, alert: string, subject: string) =>
      event(day, 'alert.raised', { alert, rule: 'rpo-breach', subject });
    const events = [
      raised(1, 'old', 'db'),
      raised(2, 'over', 'db'),
      event(3, 'alert.resolved', { alert: 'over' }),
      held(10),
      raised(11, 'new', 'files'),
      event(12, 'alert.resolved', { alert: 'new' }),
    ];
    expect(texts(agenda('strategy', events).failed)).toEqual([
      '01 alert rpo-breach of db: open',
      '11 alert rpo-breach: raised 1×',
    ]);
    const statuses = [{ source: 'db', missed: ['rpo', 'proof'] }];
    expect(texts(agenda('strategy', [held(10)], { statuses }).failed)).toEqual([
      'db misses its RPO now',
      'db misses the age of its newest proof now',
    ]);
  });
});
