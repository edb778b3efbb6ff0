import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ledgerEvent } from '../../../test/support/ledger-event.ts';
import { planWith } from '../../../test/support/plan.ts';
import type { EventKind, LedgerEvent, LedgerFault } from '../../ledger/index.ts';
import { FRAMEWORKS, type Plan, parsePlan } from '../../plan/index.ts';
import { complianceDocument } from './compliance-document.ts';
import { type ComplianceReport, complianceReport, type ReadLedger } from './compliance-report.ts';
import type { Finding } from './findings.ts';

const HOUR_MS = 3_600_000;
const fromMs = Date.parse('2026-01-01T00:00:00Z');
const untilMs = Date.parse('2026-04-01T00:00:00Z');
/** So many hours after the period begins. */
const at = (hours: number): string => new Date(fromMs + hours * HOUR_MS).toISOString();

/** The last hour of it. */
const LAST = (untilMs - fromMs) / HOUR_MS - 1;

const planOf = (more: string): Plan =>
  parsePlan(
    `version: 1
name: shop
repositories:
  main: { store: ./main, password: { env: P } }
  eu: { store: ./eu, mirrorOf: main }
sources: { docs: { type: files, paths: [/srv/docs], schedule: hourly, retention: { last: 9 } } }
alerts: { channels: { team: { type: command, command: [/bin/true] } } }
runbooks: { lost: { scenario: Documents are lost, steps: [{ id: back, do: note, text: x }] } }
${more}`,
    { file: 'holdfast.yaml', directory: '/' },
  ).plan;
const PLAN = planOf('objectives: { rpo: 1h, rto: 4h }\nreviews: { plan: quarterly }\n');

let written = 0;
function event(kind: EventKind, hours: number, body: object): LedgerEvent {
  const by = { actor: 'anna@host', writer: 'ab'.repeat(16), sequence: written++ };
  return ledgerEvent(kind, at(hours), body, by);
}

const proof = { source: 'docs', snapshot: 's', tree: 't', durationMs: HOUR_MS, state: 'proven', checksFailed: [] };
const backup = { source: 'docs', snapshot: 's', tree: 't', outcome: 'complete' };
const steps = [{ id: 'back', do: 'restore' }];

/** Events of a period in which all was done that the plan says, by what they are. */
const ALL: Record<string, LedgerEvent[]> = {
  backups: [event('backup.finished', 1, backup), event('backup.finished', LAST, backup)],
  check: [event('check.finished', 2, { repository: 'main', clean: true, errors: 0 })],
  mirror: [event('mirror.finished', 3, { repository: 'main', mirror: 'eu' })],
  watch: [24, LAST].map((hours) =>
    event('watch.summarised', hours, { kind: 'repository', name: 'main', day: at(0), hours: [] }),
  ),
  proofs: [event('proof.recorded', 4, proof)],
  drill: [
    event('drill.started', 5, { drill: 'd1', runbook: 'lost', steps }),
    event('step.finished', 5.2, { run: 'd1', step: 'back', attempt: 1, outcome: 'done', durationMs: 1 }),
    event('drill.finished', 6, { drill: 'd1', outcome: 'done', rtoMs: HOUR_MS }),
  ],
  plan: [event('plan.applied', 7, { revision: 3, text: '', sha256: '', why: 'x' })],
  review: [event('review.recorded', 8, { review: 'plan', attended: ['Anna'] })],
  signed: [event('checkpoint.signed', 9, { checkpoint: 'c', sha256: '', events: 1, key: 'k', sentTo: [] })],
  incident: [
    event('incident.opened', 30, { incident: 'i1', why: 'gone', runbook: 'lost', steps }),
    event('incident.closed', 32, { incident: 'i1', outcome: 'done', rtoMs: HOUR_MS }),
  ],
  lessons: [event('review.recorded', 40, { review: 'incident-i1', attended: ['Anna'] })],
  breach: [event('breach.declared', 31, { incident: 'i1', since: at(30) })],
  told: [event('breach.reported', 60, { incident: 'i1', to: 'the authority' })],
  note: [event('incident.noted', 33, { incident: 'i1', text: 'what was seen' })],
};
const everything = Object.values(ALL).flat();
const without = (...names: string[]): LedgerEvent[] =>
  Object.entries(ALL).flatMap(([name, events]) => (names.includes(name) ? [] : events));

interface Held {
  plan?: Plan;
  ledger?: Partial<ReadLedger>;
}

function reported(events: readonly LedgerEvent[], { plan = PLAN, ledger = {} }: Held = {}): ComplianceReport {
  const read = { repository: 'main', events, faults: [], waiting: 0, untamperedUpTo: at(1000), ...ledger };
  return complianceReport({ plan, fromMs, untilMs, frameworks: FRAMEWORKS, ledgers: [read] });
}

function finding(control: string, events: readonly LedgerEvent[], held: Held = {}): Finding {
  return reported(events, held).findings.find((each) => each.control === control)!;
}

/** What each control is shown by: without any of them it is not carried; without all, nothing of it is. */
const SHOWN_BY: Record<string, string[]> = {
  'A1.2': ['backups', 'check', 'mirror', 'watch'],
  'A1.3': ['proofs', 'drill'],
  'CC7.4': ['incident'],
  'CC7.5': ['incident', 'lessons'],
  'A.5.29': ['drill', 'signed', 'backups'],
  'A.5.30': ['proofs', 'drill', 'review'],
  'A.8.13': ['backups', 'check', 'proofs'],
  'A.8.14': ['mirror'],
  '164.308(a)(7)(ii)(A)': ['backups', 'check'],
  '164.308(a)(7)(ii)(B)': ['plan', 'proofs', 'drill'],
  '164.308(a)(7)(ii)(C)': ['drill'],
  '164.308(a)(7)(ii)(D)': ['drill', 'proofs', 'review', 'plan'],
  '164.308(a)(7)(ii)(E)': ['plan', 'review'],
  'Art. 32(1)(a)': ['backups'],
  'Art. 32(1)(b)': ['check', 'watch', 'mirror'],
  'Art. 32(1)(c)': ['backups', 'proofs'],
  'Art. 32(1)(d)': ['proofs', 'drill', 'review'],
  'Art. 33(1)': ['breach', 'told'],
  'Art. 33(5)': ['breach', 'note'],
};
/** What shows some of several controls, and is not enough for any. */
const ALSO = ['incident', 'lessons', 'plan'];
/** One of them is enough. */
const EITHER = new Set(['164.308(a)(7)(ii)(E)']);

describe('each control', () => {
  it('is one that the test knows', () => {
    expect(reported([]).findings.map(({ control }) => control)).toEqual(Object.keys(SHOWN_BY));
  });

  it.each(Object.entries(SHOWN_BY))(
    '%s is carried by events that show all of it, and by none less',
    (control, names) => {
      expect(finding(control, everything)).toMatchObject({ state: 'carried', missing: [] });
      for (const name of EITHER.has(control) ? [] : names) {
        const { state, missing, uncalled } = finding(control, without(name));
        expect(state, name).not.toBe('carried');
        expect(missing.length + (uncalled === undefined ? 0 : 1), name).toBeGreaterThan(0);
      }
      const nothing = finding(control, without(...names, ...ALSO));
      expect(['not-carried', 'not-called-for']).toContain(nothing.state);
      expect(nothing.claims).toEqual([]);
    },
  );

  it('is carried by no event of another time', () => {
    const moved = everything.map((each) => ({
      ...each,
      time: new Date(Date.parse(each.time) - 400 * 24 * HOUR_MS).toISOString(),
    }));
    const later = everything.map((each) => ({
      ...each,
      time: new Date(Date.parse(each.time) + 100 * 24 * HOUR_MS).toISOString(),
    }));
    for (const events of [moved, later as LedgerEvent[]]) {
      const { findings, ledgers } = reported(events as LedgerEvent[]);
      expect(findings.flatMap(({ claims, supporting }) => [...claims, ...supporting])).toEqual([]);
      expect(ledgers).toMatchObject([{ events: 0 }]);
    }
  });

  it('loses each claim with the events that it names, and names only what is there', () => {
    fc.assert(
      fc.property(fc.subarray(everything), (events) => {
        const known = new Set(events.map(({ writer, sequence }) => `main/${writer}/${sequence}`));
        for (const each of reported(events).findings) {
          const cited = new Set([...each.claims, ...each.supporting].flatMap((one) => one.events));
          for (const id of cited) expect(known).toContain(id);
          for (const one of each.claims) expect(one.events.length).toBeGreaterThan(0);
          if (each.state === 'carried') expect([each.claims.length > 0, each.missing]).toEqual([true, []]);
          const rest = events.filter(({ writer, sequence }) => !cited.has(`main/${writer}/${sequence}`));
          const after = finding(each.control, rest);
          expect(after.claims.flatMap((one) => one.events).filter((id) => cited.has(id))).toEqual([]);
          if (cited.size > 0 && each.claims.length > 0) expect(after.state).not.toBe('carried');
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('what went wrong', () => {
  const missing = (control: string, ...more: LedgerEvent[]): string[] =>
    finding(control, [...everything, ...more]).missing;

  it('is said of a backup, a proof, a check or a drill that failed last', () => {
    const failure = { source: 'docs', code: 'source-lost', message: 'the disk is gone', durationMs: 1 };
    expect(missing('A.8.13', event('backup.failed', LAST + 0.5, failure))).toEqual([
      expect.stringContaining('the disk is gone'),
    ]);
    expect(missing('A.8.13', event('backup.failed', 0.5, failure))).toEqual([]);
    expect(missing('A1.3', event('proof.recorded', 50, { ...proof, state: 'failed' }))[0]).toMatch(
      /is not one: failed/,
    );
    expect(missing('A1.3', event('proof.recorded', 50, { ...proof, durationMs: 9 * HOUR_MS }))[0]).toMatch(
      /took longer/,
    );
    const unclean = { repository: 'main', clean: false, errors: 3 };
    expect(missing('A.8.13', event('check.finished', 50, unclean))).toEqual([expect.stringContaining('3 errors')]);
    const failed = [
      event('drill.started', 70, { drill: 'd2', runbook: 'lost', steps: [] }),
      event('drill.finished', 71, { drill: 'd2', outcome: 'missed' }),
    ];
    expect(missing('A1.3', ...failed)).toEqual([expect.stringContaining('ended as "missed"')]);
  });

  it('is told beside what shows a control, where it was put right', () => {
    const missed = (count: number) => event('run.missed', 50, { task: 'backup:docs', from: at(0), to: at(1), count });
    const partial = event('backup.finished', 51, { ...backup, outcome: 'partial' });
    const remarks = (...events: LedgerEvent[]) => finding('A.8.13', [...events, ...everything]).remarks;
    expect(remarks(missed(1), partial)).toEqual([
      '1 backup could not read all of the source',
      '1 backup was due and did not run',
    ]);
    expect(remarks(missed(2))).toEqual(['2 backups were due and did not run']);
  });

  it('is said of a mirror, an archive or a recovery point that went bad last', () => {
    const failure = { repository: 'main', mirror: 'eu', code: 'store-unreachable', message: 'the bucket is away' };
    expect(missing('A.8.14', event('mirror.failed', 50, failure))).toEqual([
      expect.stringMatching(/^the mirror eu could not .* the bucket is away$/),
    ]);
    expect(missing('A.8.14', event('mirror.failed', 2, failure))).toEqual([]);
    const damaged = { source: 'docs', snapshot: '5a'.repeat(32), tree: 'bad', state: 'failed', packs: 1, bytes: 1 };
    expect(missing('A.8.13', event('snapshot.checked', 50, damaged))).toEqual([
      expect.stringMatching(/^the recovery point 5a5a5a5a of docs was found damaged/),
    ]);
    const whole = { repository: 'main', clean: true, errors: 0, readData: true };
    for (const mended of [
      event('snapshot.checked', 60, { ...damaged, state: 'checked' }),
      event('check.finished', 60, whole),
    ]) {
      expect(missing('A.8.13', event('snapshot.checked', 50, damaged), mended)).toEqual([]);
    }
    for (const [body, count] of [
      [{ ...whole, readData: false }, 1],
      [{ ...whole, subset: '5%' }, 1],
    ] as const) {
      expect(missing('A.8.13', event('snapshot.checked', 50, damaged), event('check.finished', 60, body))).toHaveLength(
        count,
      );
    }
  });

  it('is not said of watching that leaves no trace while nothing is wrong', () => {
    const unsampled = { ...PLAN, mirrors: new Map() };
    const alerted = [
      ...without('watch'),
      event('alert.raised', 5, { alert: 'a', severity: 'p2', message: 'late' }),
      event('alert.notified', 5, { alerts: ['a'], channel: 'team', outcome: 'delivered' }),
    ];
    const ofWatching = (events: LedgerEvent[], plan: Plan): string[] =>
      finding('Art. 32(1)(b)', events, { plan }).missing.filter((each) => /watched/.test(each));
    expect(ofWatching(alerted, unsampled)).toEqual([]);
    expect(ofWatching(alerted, PLAN)).toEqual([expect.stringMatching(/was watched after 2026-01-01 05:00/)]);
    expect(ofWatching(without('watch'), unsampled)).toEqual([
      expect.stringMatching(/^nothing shows that anything was watched: no alert was raised .* nothing that is sampled/),
    ]);
  });

  it('is said of an urgent alert that nobody was told of, also where a channel was tried and refused', () => {
    const raised = event('alert.raised', 5, { alert: 'a', severity: 'p1', message: 'docs is gone' });
    const noticed = (outcome: string): LedgerEvent =>
      event('alert.notified', 5, { alerts: ['a'], channel: 'team', outcome });
    const untold = [expect.stringMatching(/^nobody was told of the alert "docs is gone" of 2026-01-01 05:00/)];
    expect(missing('Art. 32(1)(b)', raised)).toEqual(untold);
    expect(missing('Art. 32(1)(b)', raised, noticed('failed'))).toEqual(untold);
    expect(missing('Art. 32(1)(b)', raised, noticed('delivered'))).toEqual([]);
    const remarks = (...events: LedgerEvent[]) => finding('Art. 32(1)(b)', [...everything, ...events]).remarks;
    const open = expect.stringMatching(/^1 alert of severity p1 was not resolved/);
    expect(remarks(raised, noticed('delivered'))).toContainEqual(open);
    expect(remarks(raised, noticed('delivered'), event('alert.resolved', 6, { alert: 'a' }))).not.toContainEqual(open);
  });

  it('is said of what ended long before the period did', () => {
    const early = [...without('backups', 'watch'), ALL['backups']![0]!, ALL['watch']![0]!];
    expect(finding('A.8.13', early).missing).toEqual([
      expect.stringMatching(/^the last complete backup of docs is of 2026-01-01 01:00.*due at 2026-01-01 02:00/),
    ]);
    expect(finding('Art. 32(1)(b)', early).missing).toEqual([
      expect.stringMatching(/^nothing shows that anything was watched after/),
    ]);
    const plan = planOf(
      'objectives: { rto: 4h, proof: 8d }\nreviews: { plan: monthly }\ndrills: [{ runbooks: [lost], schedule: monthly }]\n',
    );
    expect(finding('Art. 32(1)(d)', everything, { plan }).missing).toEqual([
      expect.stringMatching(/^the last proof of docs was .* old at the end, and may be 8 d/),
      expect.stringMatching(/^the drill of lost that was due at 2026-02-01 00:00/),
      expect.stringMatching(/^the review "plan" that was due at 2026-02-01 00:00/),
    ]);
  });

  it('is said of an incident that is open, or went badly, or was not reviewed', () => {
    const opened = event('incident.opened', 80, { incident: 'i2', why: 'x' });
    expect(missing('CC7.4', opened)).toEqual([expect.stringMatching(/i2, opened at .*, was not closed/)]);
    const closed = event('incident.closed', 90, { incident: 'i2', outcome: 'aborted' });
    expect(missing('CC7.5', opened, closed)).toEqual([
      expect.stringContaining('ended as "aborted"'),
      expect.stringContaining('no review of the incident i2'),
    ]);
  });

  it('is said of a drill that brings nothing back', () => {
    const only = [
      event('drill.started', 5, { drill: 'd3', runbook: 'lost', steps: [{ id: 'say', do: 'note' }] }),
      event('step.finished', 6, { run: 'd3', step: 'say', outcome: 'done' }),
      event('drill.finished', 6, { drill: 'd3', outcome: 'done', rtoMs: 1 }),
    ];
    expect(finding('164.308(a)(7)(ii)(C)', only).state).toBe('not-carried');
  });

  it('is said of a plan that has nothing twice, no runbook, no channel and no reviews', () => {
    const bare = planWith({ sources: PLAN.sources });
    const said = reported(everything, { plan: bare }).findings.flatMap((each) => each.missing);
    for (const words of ['nothing twice', 'no copy in another place', 'no runbook', 'no channel', 'no reviews']) {
      expect(
        said.some((each) => each.includes(words)),
        words,
      ).toBe(true);
    }
  });
});

describe('the register of breaches', () => {
  const declared = (hours: number): LedgerEvent => event('breach.declared', hours, { incident: 'b', since: at(hours) });
  const told = (hours: number): LedgerEvent => event('breach.reported', hours, { incident: 'b', to: 'them' });

  it.each([
    ['in time', [declared(0), told(72)], 'reported', 'carried'],
    ['late', [declared(0), told(72.1)], 'late', 'not-carried'],
    ['never', [declared(0)], 'overdue', 'not-carried'],
    ['not yet', [declared(89 * 24)], 'open', 'not-carried'],
    ['in the period, of one that was declared before it', [declared(-24), told(24)], 'reported', 'carried'],
  ])('has one that was reported %s', (_, events, state, carried) => {
    const report = reported(events);
    expect(report.breaches).toMatchObject([{ incident: 'b', state }]);
    expect(finding('Art. 33(1)', events).state).toBe(carried);
  });

  it('leaves out what was over before the period, and claims nothing where none was declared', () => {
    expect(reported([declared(-100), told(-50)]).breaches).toEqual([]);
    expect(finding('Art. 33(1)', [])).toMatchObject({ state: 'not-called-for', claims: [] });
  });
});

describe('the first page', () => {
  const pageOf = (report: ComplianceReport): string => {
    const { blocks } = complianceDocument(report);
    const end = blocks.findIndex(({ kind }) => kind === 'table');
    return JSON.stringify(blocks.slice(0, end));
  };

  it('says of a ledger with a gap where that is, and counts nothing that does not fit', () => {
    const [first, second, third] = [0, 1, 2].map((sequence) => ({
      ...event('backup.finished', 10 + sequence * 10, backup),
      ...{ writer: 'cd'.repeat(16), sequence },
    })) as [LedgerEvent, LedgerEvent, LedgerEvent];
    const fault = (what: LedgerFault['what'], sequence: number): LedgerFault => ({
      ...{ what, writer: 'cd'.repeat(16), sequence, message: 'an event is missing' },
    });
    const gap = reported([first, third], { ledger: { faults: [fault('missing', 1)] } });
    expect(gap).toMatchObject({ isWhole: false, ledgers: [{ state: 'gap', leftOut: 0 }] });
    expect(gap.ledgers[0]!.faults).toMatchObject([{ after: at(10), before: at(30), isWithin: true }]);
    expect(pageOf(gap)).toMatch(/NOT WHOLE.*NOT as it was written.*after an event of 2026-01-01 10:00:00/);
    const edited = reported([first, second, third], { ledger: { faults: [fault('edited', 1)] } });
    expect(edited).toMatchObject({ events: 1, ledgers: [{ leftOut: 2 }] });
    const earlier = reported(
      [
        { ...first, time: at(-50) },
        { ...third, time: at(-40) },
      ],
      { ledger: { faults: [fault('missing', 1)] } },
    );
    expect(earlier.ledgers[0]!.faults).toMatchObject([{ isWithin: false }]);
    expect(earlier.isWhole).toBe(false);
  });

  it('says of a ledger that could not be read, or verified, and of one that nothing vouches for', () => {
    const error = { code: 'store-unreachable', message: 'the bucket is away' };
    const unread = reported([], { ledger: { error } });
    expect(unread).toMatchObject({ isWhole: false, ledgers: [{ state: 'unread' }] });
    expect(pageOf(unread)).toMatch(/NOT be read.*the bucket is away/);
    expect(reported(everything, { ledger: { error } })).toMatchObject({
      isWhole: false,
      ledgers: [{ state: 'unverified' }],
    });
    const { untamperedUpTo: _, ...unsigned } = { untamperedUpTo: '' };
    const ledgers = [{ repository: 'main', events: everything, faults: [], waiting: 2, ...unsigned }];
    const consistent = complianceReport({ plan: PLAN, fromMs, untilMs, frameworks: ['gdpr'], ledgers });
    expect(consistent).toMatchObject({ isWhole: true, ledgers: [{ state: 'consistent' }] });
    expect(pageOf(consistent)).toMatch(/no signed checkpoint vouches.*wait on this machine.*: 2/);
  });

  it('says of a period without events that nothing can be claimed, and when nothing was recorded', () => {
    const empty = reported([]);
    expect(empty.findings.every(({ state }) => state === 'not-carried' || state === 'not-called-for')).toBe(true);
    expect(pageOf(empty)).toContain('No event was recorded in this period: nothing can be claimed');
    const { beganAt, silences } = reported(everything);
    expect(beganAt).toBe(at(1));
    expect(silences).toEqual([{ from: at(60), until: at(LAST) }]);
  });
});
