import { describe, expect, it } from 'vitest';
import { planWith } from '../../../test/support/plan.ts';
import { advance, type Gone } from './advance.ts';
import { AlertBook, type AlertEvent, withoutOld } from './book.ts';
import type { Condition } from './condition.ts';

const START = Date.parse('2026-03-10T12:00:00Z');
const MINUTE_MS = 60_000;

function condition(message = 'the backup of db failed: no route', more: Partial<Condition> = {}): Condition {
  const text = { endangers: 'e', command: 'holdfast backup db', since: new Date(START).toISOString() };
  return { rule: 'backup-failed', subject: 'db', severity: 'p2', message, ...text, ...more };
}

/** Whoever looks from time to time; `restart` forgets all but the record. */
class Looks {
  readonly events: AlertEvent[] = [];
  #gone: Gone = new Map();

  /** @returns the kinds of what happened */
  look(minute: number, conditions: Condition[], isUnknown = false): string[] {
    const nowMs = START + minute * MINUTE_MS;
    const seen = { conditions, isUnknown: () => isUnknown };
    const added = advance(planWith({}), this.book, seen, this.#gone, nowMs);
    for (const event of added)
      this.events.push({ ...event, time: new Date(nowMs).toISOString(), actor: 'a' } as AlertEvent);
    return added.map(({ kind }) => kind.slice('alert.'.length));
  }

  restart(): void {
    this.#gone = new Map();
  }

  get book(): AlertBook {
    return AlertBook.of(this.events);
  }
}

describe('an alert', () => {
  it('is raised once for a rule and subject, also across a restart, and resolved once it is gone for a minute', () => {
    const looks = new Looks();
    expect(looks.look(0, [condition()])).toEqual(['raised']);
    expect(looks.look(0.25, [condition()])).toEqual([]);
    looks.restart();
    expect(looks.look(1, [condition()])).toEqual([]);
    expect(looks.look(2, [])).toEqual([]);
    expect(looks.look(2.5, [])).toEqual([]);
    expect(looks.look(2.75, [condition()])).toEqual([]);
    expect(looks.look(3, [])).toEqual([]);
    expect(looks.look(4, [])).toEqual(['resolved']);
    expect(looks.look(5, [])).toEqual([]);
    expect(looks.book.open).toEqual([]);
  });

  it('is not resolved by one look alone, however long there was none', () => {
    const looks = new Looks();
    looks.look(0, [condition()]);
    expect(looks.look(60, [])).toEqual([]);
    expect(looks.look(61, [])).toEqual(['resolved']);
  });

  it('stays while nobody knows whether it is over', () => {
    const looks = new Looks();
    looks.look(0, [condition()]);
    for (let minute = 1; minute < 60; minute++) expect(looks.look(minute, [], true)).toEqual([]);
    expect(looks.look(60, [])).toEqual([]);
    expect(looks.look(61, [])).toEqual(['resolved']);
  });

  it('changes when what happened does, or is worse; not by numbers, times and ids, and never to less severe', () => {
    const looks = new Looks();
    looks.look(0, [condition('snapshot 1f3c9a22 of 2026-03-10 12:00 UTC lost 21.5%')]);
    expect(looks.look(1, [condition('snapshot 99aabbcc of 2026-03-10 13:00 UTC lost 22%')])).toEqual([]);
    expect(looks.look(2, [condition('another thing')])).toEqual(['updated']);
    expect(looks.look(3, [condition('another thing', { severity: 'p1' })])).toEqual(['updated']);
    expect(looks.look(4, [condition('another thing', { severity: 'p3' })])).toEqual([]);
    expect(looks.book.open).toMatchObject([{ severity: 'p1', message: 'another thing', changes: 2 }]);
  });

  it('says of what it became what that endangers and what mends it, and keeps both where nobody recorded them', () => {
    const looks = new Looks();
    looks.look(0, [condition('the store does not answer', { command: 'holdfast doctor', endangers: 'backups' })]);
    const since = looks.book.open[0]!.since;
    const damaged = { command: 'holdfast check main --repair', endangers: 'recoveries' };
    looks.look(1, [
      condition('a check found errors', { ...damaged, since: new Date(START + MINUTE_MS).toISOString() }),
    ]);
    const seen = { ...damaged, since, message: 'a check found errors' };
    expect(AlertBook.of(looks.events).open).toMatchObject([seen]);
    const { id: alert } = looks.book.open[0]!;
    const body = { alert, message: 'worse', severity: 'p2' };
    const older: AlertEvent = {
      kind: 'alert.updated',
      body,
      time: new Date(START + 120_000).toISOString(),
      actor: 'a',
    };
    expect(AlertBook.of([...looks.events, older]).open).toMatchObject([{ ...seen, message: 'worse' }]);
  });

  it('has an id that follows from the record, so that two who raise it raise one', () => {
    const [one, other] = [new Looks(), new Looks()];
    for (const looks of [one, other]) looks.look(0, [condition()]);
    const id = one.book.open[0]!.id;
    expect(other.book.open[0]!.id).toBe(id);
    expect(AlertBook.of([...one.events, ...other.events]).alerts).toHaveLength(1);
    for (const minute of [1, 2]) one.look(minute, []);
    one.look(90, [condition()]);
    expect(one.book.open[0]!.id).not.toBe(id);
    const third = new Looks();
    third.look(0, [condition('m', { subject: 'other' })]);
    expect(third.book.open[0]!.id).not.toBe(id);
  });

  it('says the third time within an hour that it comes and goes, and is held then', () => {
    const looks = new Looks();
    const raised = (minute: number) => {
      const kinds = looks.look(minute, [condition()]);
      return [...kinds, ...looks.look(minute + 1, []), ...looks.look(minute + 2.5, [])];
    };
    expect(raised(0)).toEqual(['raised', 'resolved']);
    expect(raised(10)).toEqual(['raised', 'resolved']);
    expect(looks.book.alerts.map(({ flaps }) => flaps)).toEqual([false, false]);
    expect(raised(20)).toEqual(['raised']);
    expect(looks.book.open).toMatchObject([{ flaps: true }]);
    for (const minute of [30, 40, 50]) expect(raised(minute)).toEqual([]);
    expect(looks.look(80, [])).toEqual([]);
    expect(looks.look(81.5, [])).toEqual(['resolved']);
    expect(raised(170)).toEqual(['raised', 'resolved']);
  });
});

describe('the book', () => {
  it('is the same where an event is told twice', () => {
    const looks = new Looks();
    looks.look(0, [condition()]);
    looks.look(1, [condition('worse', { severity: 'p1' })]);
    const twice = AlertBook.of(looks.events.flatMap((event) => [event, event]));
    expect(twice.alerts).toEqual(looks.book.alerts);
    expect(AlertBook.of([...looks.events, looks.events[0]!]).alerts).toEqual(looks.book.alerts);
  });

  it('tells the same of what is open and comes next without what was over long ago, which does not grow with the years', () => {
    const looks = new Looks();
    const day = 24 * 60;
    for (let at = 0; at < 100 * day; at += day) {
      const subject = at < 14 * day ? 'files' : 'db';
      looks.look(at, [condition('failed', { subject }), condition('stays', { subject: 'logs' })]);
      looks.look(at + 1, [condition('stays', { subject: 'logs' })]);
      looks.look(at + 3, [condition('stays', { subject: 'logs' })]);
    }
    const told = (minute: number, channel: string, outcome: 'delivered' | 'failed'): AlertEvent => ({
      ...{ kind: 'alert.notified', time: new Date(START + minute * MINUTE_MS).toISOString(), actor: 'a' },
      body: { alerts: [looks.book.alerts[1]!.id], channel, news: 'raised', reason: '0m', outcome, attempts: 1 },
    });
    const channels = [told(1, 'pager', 'delivered'), told(2, 'mail', 'failed'), told(3, 'mail', 'failed')];
    const all = [...channels, ...looks.events];
    const few = withoutOld(all, START + 90 * day * MINUTE_MS);
    expect(few.length).toBeLessThan(100);
    expect(channels.filter((event) => few.includes(event))).toEqual(channels);
    const [whole, kept] = [AlertBook.of(all), AlertBook.of(few)];
    expect(kept.open).toEqual(whole.open);
    expect(kept.open).toHaveLength(1);
    for (const subject of ['db', 'files', 'logs', 'never']) {
      const about = { rule: 'backup-failed', subject };
      expect(kept.nextId(about)).toBe(whole.nextId(about));
      expect(kept.openOf('backup-failed', subject)).toEqual(whole.openOf('backup-failed', subject));
    }
    expect(withoutOld(all, START)).toEqual(all);
  });

  it('ends a mute by a later one of the same rule and subject, and by no other', () => {
    const muted = (minute: number, forMinutes: number, subject?: string): AlertEvent => {
      const until = new Date(START + (minute + forMinutes) * MINUTE_MS).toISOString();
      const body = { rule: 'backup-failed', until, why: 'w', ...(subject !== undefined && { subject }) };
      return { kind: 'alert.muted', body, time: new Date(START + minute * MINUTE_MS).toISOString(), actor: 'me' };
    };
    const until = (...events: AlertEvent[]) =>
      AlertBook.of(events).mutes.map(({ untilMs }) => (untilMs - START) / MINUTE_MS);
    expect(until(muted(0, 60, 'db'), muted(10, 0, 'db'))).toEqual([10, 10]);
    expect(until(muted(0, 60, 'db'), muted(10, 0))).toEqual([60, 10]);
  });
});
