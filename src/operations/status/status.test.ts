import { describe, expect, it } from 'vitest';
import { ledgerEvent } from '../../../test/support/ledger-event.ts';
import type { EventBodies, EventKind, LedgerEvent } from '../../ledger/index.ts';
import type { Source } from '../../plan/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { healedStatus } from '../mirrors/healed-status.ts';
import { sourceStatus, withStall } from './status.ts';

const HOUR_MS = 3_600_000;
const NOW = Date.parse('2026-03-01T12:00:00Z');

function source(objectives: Source['objectives'] = {}): Source {
  return { name: 'db', type: 'files', repository: 'main', objectives, validate: [], paths: ['/x'], exclude: [] };
}

function snapshot(id: string, hoursAgo: number, tags: string[] = []): StoredSnapshot {
  const time = new Date(NOW - hoursAgo * HOUR_MS).toISOString();
  return { id, time, tree: `tree-${id}`, paths: ['/db'], hostname: 'test', tags: ['holdfast', 'source:db', ...tags] };
}

function event<Kind extends EventKind>(kind: Kind, hoursAgo: number, body: Partial<EventBodies[Kind]>): LedgerEvent {
  return ledgerEvent(kind, NOW - hoursAgo * HOUR_MS, body);
}

function proof(
  id: string,
  state: 'proven' | 'failed' | 'not-provable',
  hoursAgo: number,
  durationMs = 1000,
): LedgerEvent {
  return event('proof.recorded', hoursAgo, { source: 'db', snapshot: id, tree: `tree-${id}`, state, durationMs });
}

describe('the status of a source', () => {
  it('counts RPO from the newest complete recovery point, and beside it from the newest proven one', () => {
    const snapshots = [snapshot('a', 5), snapshot('b', 3), snapshot('c', 1, ['partial'])];
    const status = sourceStatus(source({ rpoMs: 2 * HOUR_MS }), snapshots, [proof('a', 'proven', 4)], NOW);
    expect(status.actual).toEqual({ rpoMs: 3 * HOUR_MS, provenRpoMs: 5 * HOUR_MS, rtoMs: 1000 });
    expect(status.last).toMatchObject({ snapshot: 'c', outcome: 'partial', proof: 'stored' });
    expect(status.proven?.snapshot).toBe('a');
    expect(status.missed).toEqual(['rpo']);
  });

  describe('with proofs of moments that its log leads to', () => {
    const hours = (ago: number) => new Date(NOW - ago * HOUR_MS).toISOString();
    /** @param ago the moment; without one only the target is known */
    function moment(id: string, state: 'proven' | 'failed', ago: number | undefined, target?: string): LedgerEvent {
      const { body, ...envelope } = proof(id, state, 1);
      const time = ago === undefined ? undefined : hours(ago);
      const log = { target: target ?? time, ...(time !== undefined && { time }) };
      return { ...envelope, body: { ...body, log } } as LedgerEvent;
    }
    const statusOf = (events: LedgerEvent[], snapshots = [snapshot('a', 5)]) =>
      sourceStatus(source({}), snapshots, events, NOW);

    it('counts the newest one that was proven, from whichever backup is still there', () => {
      for (const more of [[], [proof('a', 'proven', 0.5)], [moment('a', 'proven', 4)]]) {
        const status = statusOf([moment('a', 'proven', 2), ...more]);
        expect(status.actual.provenRpoMs).toBe(2 * HOUR_MS);
        expect(status.provenMoment).toEqual({ snapshot: 'a', time: hours(2), provenAt: hours(1) });
      }
      expect(statusOf([moment('gone', 'proven', 2)]).actual).toEqual({ rpoMs: 5 * HOUR_MS });
    });

    it('takes none for the backup that it goes on from, whatever came of it', () => {
      expect(statusOf([moment('a', 'proven', 2)])).toMatchObject({ last: { proof: 'stored' } });
      expect(statusOf([moment('a', 'proven', 2)])).not.toHaveProperty('proven');
      const failed = statusOf([proof('a', 'proven', 3), moment('a', 'failed', 2)]);
      expect(failed).toMatchObject({ last: { proof: 'proven' }, proven: { snapshot: 'a' } });
      expect(failed.unprovenMoment).toEqual({
        ...{ state: 'failed', snapshot: 'a', target: hours(2), time: hours(2), triedAt: hours(1) },
      });
      expect(statusOf([moment('a', 'failed', 2), moment('a', 'proven', 3)])).not.toHaveProperty('unprovenMoment');
    });

    it('takes none for another one, and the newest for the same', () => {
      const proven = moment('a', 'proven', 2);
      const rpoOf = (...events: LedgerEvent[]) => statusOf(events).actual.provenRpoMs;
      expect(rpoOf(proven, moment('a', 'failed', 3))).toBe(2 * HOUR_MS);
      expect(rpoOf(proven, moment('a', 'failed', 2))).toBeUndefined();
      expect(rpoOf(moment('a', 'failed', 2), proven)).toBe(2 * HOUR_MS);
      // Where the log ends is another moment each time; what has a name is the same, whatever time came of it.
      expect(
        rpoOf(moment('a', 'proven', 2, 'the end of the log'), moment('a', 'failed', 1, 'the end of the log')),
      ).toBe(2 * HOUR_MS);
      expect(
        rpoOf(moment('a', 'proven', 2, 'transaction 7'), moment('a', 'failed', undefined, 'transaction 7')),
      ).toBeUndefined();
    });
  });

  it('takes a snapshot of a time that has not come for none: a clock that was set back must not hide what is missing', () => {
    const objectives = { rpoMs: 2 * HOUR_MS, proofMs: 24 * HOUR_MS };
    const status = sourceStatus(source(objectives), [snapshot('a', -3)], [proof('a', 'proven', -3)], NOW);
    expect(status.actual).toEqual({ rtoMs: 1000 });
    expect(status.missed).toEqual(['rpo', 'proof']);
    expect(status.ahead).toBe('2026-03-01T15:00:00.000Z');
  });

  it('lets clocks be a little apart', () => {
    const status = sourceStatus(source({ rpoMs: 2 * HOUR_MS }), [snapshot('a', -0.05)], [], NOW);
    expect(status.actual).toEqual({ rpoMs: 0 });
    expect(status).not.toHaveProperty('ahead');
    expect(status.missed).toEqual([]);
  });

  it('takes RTO from the last proof, and misses it when that took too long', () => {
    const events = [proof('a', 'proven', 4, 9000), proof('a', 'proven', 2, 3 * HOUR_MS)];
    const status = sourceStatus(source({ rtoMs: 2 * HOUR_MS }), [snapshot('a', 5)], events, NOW);
    expect(status.actual.rtoMs).toBe(3 * HOUR_MS);
    expect(status.missed).toEqual(['rto']);
  });

  it('believes the newest proof of a recovery point, a failed one as well', () => {
    const events = [proof('a', 'proven', 4), proof('a', 'failed', 2)];
    const status = sourceStatus(source(), [snapshot('a', 5)], events, NOW);
    expect(status.last?.proof).toBe('failed');
    expect(status.proven).toBeUndefined();
    expect(status.actual.provenRpoMs).toBeUndefined();
  });

  it('takes what is not provable here neither for proven nor for failed', () => {
    const status = sourceStatus(source(), [snapshot('a', 5)], [proof('a', 'not-provable', 2)], NOW);
    expect(status.last?.proof).toBe('not-provable');
    expect(status.proven).toBeUndefined();
  });

  it('calls checked what a clean reading of every byte came after, until a later one is not clean', () => {
    const check = (clean: boolean, hoursAgo: number, readData = true): LedgerEvent =>
      event('check.finished', hoursAgo, { repository: 'main', readData, clean, durationMs: 0 });
    const proofAfter = (...events: LedgerEvent[]) =>
      sourceStatus(source(), [snapshot('a', 5)], events, NOW).last?.proof;
    expect(proofAfter(check(true, 4))).toBe('checked');
    expect(proofAfter(check(true, 6))).toBe('stored');
    expect(proofAfter(check(true, 4, false))).toBe('stored');
    expect(proofAfter(check(true, 4), check(false, 3))).toBe('stored');
  });

  it('takes a check of a part for no check of everything, and lets it hide none', () => {
    const check = (hoursAgo: number, body: Partial<EventBodies['check.finished']>): LedgerEvent =>
      event('check.finished', hoursAgo, { repository: 'main', readData: true, clean: true, durationMs: 0, ...body });
    const proofAfter = (...events: LedgerEvent[]) =>
      sourceStatus(source(), [snapshot('a', 5)], events, NOW).last?.proof;
    expect(proofAfter(check(4, { subset: '5%' }))).toBe('stored');
    expect(proofAfter(check(4, {}), check(3, { subset: '5%' }), check(2, { readData: false }))).toBe('checked');
    expect(proofAfter(check(4, {}), check(3, { subset: '5%', clean: false }))).toBe('stored');
    expect(proofAfter(check(4, {}), check(3, { readData: false, clean: false }))).toBe('stored');
    expect(proofAfter(check(4, {}), check(3, { readData: false, clean: false }), check(2, {}))).toBe('checked');
    expect(proofAfter(check(4, {}), check(3, { repository: 'other', clean: false }))).toBe('checked');
  });

  it('misses the proof objective when the newest proven point is too old, or never was while it could have been', () => {
    const objectives = { proofMs: 4 * HOUR_MS };
    const missed = (snapshots: StoredSnapshot[], events: LedgerEvent[]) =>
      sourceStatus(source(objectives), snapshots, events, NOW).missed;
    expect(missed([snapshot('a', 3)], [])).toEqual([]);
    expect(missed([snapshot('a', 5), snapshot('b', 1)], [])).toEqual(['proof']);
    expect(missed([snapshot('a', 5), snapshot('b', 1)], [proof('b', 'proven', 0)])).toEqual([]);
    expect(missed([snapshot('a', 5), snapshot('b', 1)], [proof('a', 'proven', 4)])).toEqual(['proof']);
  });

  it('says of a log that it does not go on, whatever is promised, and that nobody can tell where a clock was wrong', () => {
    const stallOf = (
      hoursAgo: number | undefined,
      snapshots = [snapshot('a', 1)],
      afterMs: number | undefined = 300_000,
    ) => {
      const time = hoursAgo === undefined ? {} : { time: new Date(NOW - hoursAgo * HOUR_MS).toISOString() };
      const status = sourceStatus(source(), snapshots, [], NOW, { gaps: [], ...time });
      return withStall(status, NOW, afterMs).log?.stall;
    };
    const hours = (ago: number) => new Date(NOW - ago * HOUR_MS).toISOString();
    expect(stallOf(0.05)).toBeUndefined();
    expect(stallOf(0.1)).toEqual({ since: hours(0.1) });
    expect(stallOf(undefined)).toEqual({ since: hours(1) });
    expect(stallOf(undefined, [])).toBeUndefined();
    expect(stallOf(-0.05)).toBeUndefined();
    expect(stallOf(-2)).toEqual({ ahead: hours(-2) });
    // Where the plan wants to hear nothing of it.
    const status = sourceStatus(source(), [snapshot('a', 1)], [], NOW, { gaps: [] });
    expect(withStall(status, NOW, undefined)).toBe(status);
  });

  it('misses RPO when there is no recovery point at all', () => {
    expect(sourceStatus(source({ rpoMs: HOUR_MS }), [], [], NOW).missed).toEqual(['rpo']);
    expect(sourceStatus(source(), [], [], NOW).missed).toEqual([]);
  });

  it('tells of a failure until a later backup succeeds', () => {
    const failed = event('backup.failed', 2, { source: 'db', code: 'source-unreachable', message: 'down' });
    const finished = event('backup.finished', 1, { source: 'db' });
    const snapshots = [snapshot('a', 5)];
    expect(sourceStatus(source(), snapshots, [failed], NOW).failure).toMatchObject({ code: 'source-unreachable' });
    expect(sourceStatus(source(), snapshots, [failed, finished], NOW).failure).toBeUndefined();
  });
});

describe('what healed', () => {
  const healed = (hoursAgo: number, repository: string, object: string): LedgerEvent =>
    event('object.healed', hoursAgo, { repository, object, from: 'eu', reason: 'it is damaged' });
  const check = (hoursAgo: number, body: Partial<EventBodies['check.finished']> = {}): LedgerEvent =>
    event('check.finished', hoursAgo, { repository: 'main', readData: true, clean: true, durationMs: 0, ...body });

  it('stands for each repository until all of it was read and found clean', () => {
    const events = [healed(9, 'main', 'data/a'), healed(8, 'main', 'data/b'), healed(7, 'eu', 'data/c')];
    const last = { object: 'data/b', from: 'eu', reason: 'it is damaged', time: '2026-03-01T04:00:00.000Z' };
    const both = [
      { repository: 'main', objects: 2, last },
      { repository: 'eu', objects: 1 },
    ];
    expect(healedStatus(events)).toMatchObject(both);
    for (const body of [{ clean: false }, { readData: false }, { subset: '5%' }, { repository: 'other' }]) {
      expect(healedStatus([...events, check(6, body)])).toMatchObject(both);
    }
    expect(healedStatus([...events, check(6)])).toMatchObject([{ repository: 'eu' }]);
    expect(healedStatus([...events, check(6), healed(5, 'main', 'data/d')])).toHaveLength(2);
  });
});
