import { describe, expect, it } from 'vitest';
import { ledgerEvent } from '../../../test/support/ledger-event.ts';
import { planWith } from '../../../test/support/plan.ts';
import type { EventBodies, EventKind, LedgerEvent, ProofRecorded } from '../../ledger/index.ts';
import { parseSchedule } from '../../schedule/index.ts';
import type { SourceStatus } from '../status/status.ts';
import { type VerificationReport, verificationReport } from './verification-report.ts';

const HOUR_MS = 3_600_000;
const untilMs = Date.parse('2026-05-11T00:00:00Z');
const fromMs = untilMs - 7 * 24 * HOUR_MS;
const at = (hoursBefore: number): string => new Date(untilMs - hoursBefore * HOUR_MS).toISOString();

function event<Kind extends EventKind>(kind: Kind, hoursBefore: number, body: EventBodies[Kind]): LedgerEvent {
  return ledgerEvent(kind, at(hoursBefore), body);
}

function proof(hoursBefore: number, change: Partial<ProofRecorded> = {}): LedgerEvent {
  return event('proof.recorded', hoursBefore, {
    ...{ source: 'crm', snapshot: 'aaaaaaaabbbb', tree: 't', validatorVersion: 2, state: 'proven' as const },
    ...{ durationMs: HOUR_MS, restoreMs: 0.75 * HOUR_MS, validateMs: 0.25 * HOUR_MS, bytes: 1000 },
    ...{ checksPassed: 3, checksFailed: [] },
    ...change,
  });
}

const crm: SourceStatus = {
  ...{ source: 'crm', type: 'firestore', repository: 'main', snapshots: 7, missed: [] },
  last: { snapshot: 'aaaaaaaabbbb', time: at(2), outcome: 'complete', proof: 'proven' },
  proven: { snapshot: 'aaaaaaaabbbb', time: at(2), provenAt: at(1) },
  objectives: { rpoMs: 26 * HOUR_MS, rtoMs: 2 * HOUR_MS },
  actual: { rpoMs: 2 * HOUR_MS, rtoMs: HOUR_MS },
};

function reported(events: LedgerEvent[], status: SourceStatus = crm): VerificationReport {
  const parsed = parseSchedule('weekly');
  if ('problem' in parsed) throw new Error(parsed.problem);
  const weekly = { name: 'weekly', sources: ['crm'], pick: 'random' as const, level: 'proven' as const };
  const plan = planWith({ verifications: [{ ...weekly, schedule: parsed.schedule, sandboxes: new Map() }] });
  const snapshotTimes = new Map([['aaaaaaaabbbb', untilMs - 2 * HOUR_MS]]);
  return verificationReport({ plan, fromMs, untilMs, statuses: [status], events, snapshotTimes });
}

describe('a report of what was verified', () => {
  it('has each proof of the time with its age and its objective, and asks for nothing where all is well', () => {
    const { sources, attention } = reported([proof(1), proof(24 * 8), proof(0)]);
    expect(sources[0]!.proofs).toMatchObject([
      { at: at(1), time: at(2), ageMs: HOUR_MS, state: 'proven', withinRto: true, snapshot: 'aaaaaaaabbbb' },
    ]);
    expect(sources[0]).toMatchObject({ newest: at(2), newestProven: at(2), snapshots: 7 });
    expect(attention).toEqual([]);
  });

  it('asks for attention to what failed, what could not be proven, and what was slower than promised', () => {
    const failed = proof(3, { state: 'failed', checksFailed: ['companies', 'restore /data'] });
    const unprovable = proof(2, { state: 'not-provable', reason: 'no PostgreSQL 17 is here' });
    const slow = proof(1, { durationMs: 3 * HOUR_MS });
    const { attention, sources } = reported([failed, unprovable, slow], { ...crm, missed: ['rto', 'proof'] });
    expect(attention).toEqual([
      expect.stringMatching(/^crm: the proof of snapshot aaaaaaaa at .*: failed: companies, restore \/data$/),
      expect.stringMatching(/^crm: .*: could not be made: no PostgreSQL 17 is here$/),
      'crm: its last proof took longer than its RTO allows',
      'crm: its newest proven recovery point is older than its objective allows',
    ]);
    expect(sources[0]!.proofs.map(({ withinRto }) => withinRto)).toEqual([undefined, undefined, false]);
  });

  it('says of a source that nothing of it was proven: neither by a proof before, nor by that of a part', () => {
    const { attention } = reported([proof(24 * 7 + 1), proof(1, { part: true })]);
    expect(attention).toEqual(['crm: nothing of it was proven in this time']);
    const { last: _last, proven: _proven, ...never } = crm;
    expect(reported([], { ...never, snapshots: 0 }).attention).toEqual(['crm: there is no backup of it']);
  });

  it('knows the moment that a log led to by itself', () => {
    const { sources } = reported([proof(1, { log: { target: at(3), time: at(3) } })]);
    expect(sources[0]!.proofs[0]).toMatchObject({ time: at(3), ageMs: 2 * HOUR_MS });
    const gone = reported([proof(1, { snapshot: 'removed' })]).sources[0]!.proofs[0]!;
    expect([gone.time, gone.ageMs]).toEqual([undefined, undefined]);
  });

  it('counts the runs of each verification, and those that were due and did not come', () => {
    const run = { run: 'r', task: 'verify:weekly', durationMs: 1 };
    const { verifications, attention } = reported([
      proof(1),
      event('run.finished', 5, { ...run, outcome: 'done' }),
      event('run.finished', 4, { ...run, outcome: 'missed' }),
      event('run.finished', 4, { ...run, task: 'verify:daily', outcome: 'failed' }),
      event('run.died', 3, { run: 'r', task: 'verify:weekly' }),
      event('run.missed', 2, { task: 'verify:weekly', from: at(3), to: at(2), count: 2 }),
    ]);
    expect(verifications).toEqual([{ name: 'weekly', schedule: 'weekly', done: 1, failed: 2, missed: 2 }]);
    expect(attention).toHaveLength(2);
  });

  it('has checks of repositories and of groups', () => {
    const check = { repository: 'main', readData: true, durationMs: 1 };
    const group = { group: 'omni', at: at(9), sources: [], checksPassed: 1 };
    const { checks, groups, attention } = reported([
      proof(1),
      event('check.finished', 9, { ...check, subset: '10%', clean: true, errors: 0 }),
      event('check.finished', 8, { ...check, clean: false, errors: 3 }),
      event('group.verified', 7, { ...group, state: 'proven', checksFailed: [] }),
      event('group.verified', 6, { ...group, state: 'failed', checksFailed: ['orders match'] }),
    ]);
    expect(checks.map(({ read, clean }) => [read, clean])).toEqual([
      ['10%', true],
      ['all', false],
    ]);
    expect(groups).toHaveLength(2);
    expect(attention).toEqual([
      expect.stringMatching(/^group omni, .*: failed: orders match$/),
      expect.stringMatching(/^repository main: the check of .* found 3 errors$/),
    ]);
  });
});
