/** What was watched, recorded and told. Pure: see `Observation`. */
import { isSampled } from '../watch/is-sampled.ts';
import type { ComplianceFacts } from './facts.ts';
import { at, claim, type Observation, span, times } from './observation.ts';

const HOUR_MS = 3_600_000;
/** What was watched is summarised each day, once that is over. */
const WATCHED_WITHIN_MS = 3 * 24 * HOUR_MS;
/** The authority is to be told within so long: GDPR, article 33 (1). */
const REPORT_WITHIN_MS = 72 * HOUR_MS;

export const monitoring: Observation = (facts) => {
  const watched = facts.of('watch.summarised');
  const raised = facts.of('alert.raised');
  const resolved = facts.of('alert.resolved');
  const delivered = facts.of('alert.notified').filter(({ body }) => body.outcome === 'delivered');
  const told = new Set(delivered.flatMap(({ body }) => body.alerts));
  const known = new Set(resolved.map(({ body }) => body.alert));
  const urgent = raised.filter(({ body }) => body.severity === 'p1');
  const untold = urgent.filter(({ body }) => !told.has(body.alert));
  const open = urgent.filter(({ body }) => !known.has(body.alert));
  const lastMs = Math.max(...[...watched, ...raised, ...delivered].map(({ timeMs }) => timeMs));
  return {
    claims: [
      ...claim(`${times(watched.length, 'summary', 'summaries')} of a day of what was watched`, watched),
      ...claim(`${times(raised.length, 'alert')} raised`, raised),
      ...claim(`${times(delivered.length, 'notice')} delivered to channels`, delivered),
    ],
    missing: [
      ...(watched.length + raised.length + delivered.length === 0 ? [unwatched(facts)] : []),
      // Without samples nothing is recorded for as long as nothing is wrong.
      ...(isSampled(facts.plan) && facts.untilMs - lastMs > WATCHED_WITHIN_MS && Number.isFinite(lastMs)
        ? [`nothing shows that anything was watched after ${at(lastMs)}`]
        : []),
      ...(facts.plan.alerts.channels.size === 0 ? ['the plan has no channel that an alert could go to'] : []),
      ...untold.map(({ body, timeMs }) => `nobody was told of the alert "${body.message}" of ${at(timeMs)}`),
    ],
    remarks: open.length === 0 ? [] : [`${times(open.length, 'alert')} of severity p1 was not resolved in this period`],
  };
};

function unwatched({ plan }: ComplianceFacts): string {
  const nothing = 'nothing shows that anything was watched';
  if (isSampled(plan)) return nothing;
  return `${nothing}: no alert was raised or delivered, and the plan names nothing that is sampled every day (a service, a standby, a mirror, a log, or a repository with a capacity)`;
}

/** The audit trail itself, vouched for by a key that does not lie in the repository. */
export const signing: Observation = (facts) => {
  const signed = facts.of('checkpoint.signed');
  return {
    claims: claim(`the ledger signed ${times(signed.length, 'time')}`, signed),
    missing:
      signed.length === 0 ? ['the ledger was not signed: its newest events could be cut, and nobody could tell'] : [],
  };
};

/** Who looked into what is protected, and who was let do so. */
export const access: Observation = (facts) => {
  const looked = [...facts.of('content.listed'), ...facts.of('restore.finished'), ...facts.of('ledger.exported')];
  const granted = [
    ...facts.of('token.created'),
    ...facts.of('token.revoked'),
    ...facts.of('key.added'),
    ...facts.of('key.removed'),
  ];
  const called = [...facts.of('api.called'), ...facts.of('api.summarised'), ...facts.of('login.failed')];
  return {
    claims: [
      ...claim(`${times(looked.length, 'look')} into what is protected, with who it was`, looked),
      ...claim(`${times(granted.length, 'change')} of who has access`, granted),
      ...claim(`${times(called.length, 'record')} of calls of the API`, called),
    ],
    missing: [],
  };
};

/** A breach of personal data that the period has to do with. Times are RFC 3339. */
export interface Breach {
  incident: string;
  /** When it became known. */
  since: string;
  declaredAt: string;
  declaredBy?: string;
  reportBy: string;
  reportedAt?: string;
  reportedTo?: string;
  /** `open`: its 72 hours were not over at the end of the period. */
  state: 'reported' | 'late' | 'open' | 'overdue';
  /** Of the period. */
  events: string[];
}

/** The register of breaches: those that were declared, reported, or to be reported in the period. */
export function breachRegister(facts: ComplianceFacts): Breach[] {
  const { fromMs, untilMs } = facts;
  const reports = [...facts.before('breach.reported'), ...facts.of('breach.reported')];
  const declared = [...facts.before('breach.declared'), ...facts.of('breach.declared')];
  return declared.flatMap(({ id, timeMs, body }) => {
    const report = reports.find((each) => each.body.incident === body.incident);
    const byMs = Date.parse(body.since) + REPORT_WITHIN_MS;
    // What was over before the period is in an earlier report.
    if (timeMs < fromMs && report !== undefined && report.timeMs < fromMs) return [];
    const events = [{ id, timeMs }, ...(report ? [report] : [])].filter((each) => each.timeMs >= fromMs);
    const isLate = report === undefined ? untilMs > byMs : report.timeMs > byMs;
    return [
      {
        ...{ incident: body.incident, since: body.since, declaredAt: new Date(timeMs).toISOString() },
        ...(body.by !== undefined && { declaredBy: body.by }),
        reportBy: new Date(byMs).toISOString(),
        ...(report && { reportedAt: new Date(report.timeMs).toISOString(), reportedTo: report.body.to }),
        state:
          report === undefined
            ? isLate
              ? ('overdue' as const)
              : ('open' as const)
            : isLate
              ? ('late' as const)
              : ('reported' as const),
        events: events.map((each) => each.id),
      },
    ];
  });
}

/** Breaches told to the authority within 72 hours. */
export const breachReports: Observation = (facts) => {
  const register = breachRegister(facts);
  if (register.length === 0) return { claims: [], missing: [], uncalled: 'no breach of personal data was declared' };
  const inTime = new Set(register.filter(({ state }) => state === 'reported').map(({ incident }) => incident));
  const events = facts.of('breach.reported').filter(({ body }) => inTime.has(body.incident));
  return {
    claims: claim(`${times(events.length, 'breach', 'breaches')} reported within 72 hours`, events),
    missing: register.flatMap(({ incident, since, reportBy, reportedAt, state }) => {
      if (state === 'reported') return [];
      const name = `the breach of the incident ${incident}, known since ${at(Date.parse(since))},`;
      if (state === 'open') return [`${name} is not reported yet; it is to be by ${at(Date.parse(reportBy))}`];
      if (state === 'overdue')
        return [`${name} was not reported: its 72 hours were over at ${at(Date.parse(reportBy))}`];
      const lateMs = Date.parse(reportedAt!) - Date.parse(reportBy);
      return [`${name} was reported ${span(lateMs)} after its 72 hours: the reasons for the delay go with the report`];
    }),
    remarks: ['that no other breach took place is not shown by a register'],
  };
};

/** The register itself. */
export const breachRecords: Observation = (facts) => {
  const register = breachRegister(facts);
  if (register.length === 0) return { claims: [], missing: [], uncalled: 'no breach of personal data was declared' };
  const concerned = new Set(register.map(({ incident }) => incident));
  const declared = facts.of('breach.declared');
  const noted = facts.of('incident.noted').filter(({ body }) => concerned.has(body.incident));
  const closed = facts.of('incident.closed').filter(({ body }) => concerned.has(body.incident));
  return {
    claims: [
      ...claim(`${times(declared.length, 'breach', 'breaches')} declared, with since when it was known`, declared),
      ...claim(`${times(noted.length, 'note')} of the facts and what was done`, noted),
      ...claim(`${times(closed.length, 'incident')} with a breach closed`, closed),
    ],
    missing: [...concerned]
      .filter(
        (incident) => ![...noted, ...facts.before('incident.noted')].some(({ body }) => body.incident === incident),
      )
      .map(
        (incident) =>
          `nothing was noted of the facts, the effects and the remedies of the breach of incident ${incident}`,
      ),
  };
};
