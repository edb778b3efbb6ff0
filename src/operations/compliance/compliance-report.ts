/** A plan and its ledgers held against standards, over a period. Pure. */
import type { LedgerEvent, LedgerFault } from '../../ledger/index.ts';
import type { Framework, Plan } from '../../plan/index.ts';
import { ComplianceFacts, type PlacedEvent } from './facts.ts';
import { type Finding, findingsOf } from './findings.ts';
import { type Breach, breachRegister } from './watching.ts';

const HOUR_MS = 3_600_000;
/** So long a time in which nothing was recorded is said. */
const SILENCE_MS = 48 * HOUR_MS;

/** What was read of one ledger. */
export interface ReadLedger {
  repository: string;
  /** Oldest first; also those that something is wrong with. */
  events: readonly LedgerEvent[];
  faults: readonly LedgerFault[];
  /** RFC 3339: up to when a signed checkpoint vouches for it. */
  untamperedUpTo?: string;
  /** Why it could not be read, or not be held against a checkpoint. */
  error?: { code: string; message: string };
  /** Events that wait on this machine. */
  waiting: number;
}

/** Times are RFC 3339. */
export interface ComplianceReport {
  plan: string;
  from: string;
  until: string;
  frameworks: readonly Framework[];
  /** The newest revision of the plan that was applied; the plan itself is as it is now. */
  revision?: { revision: number; appliedAt: string };
  ledgers: LedgerStanding[];
  /** Whether every ledger was read whole. */
  isWhole: boolean;
  /** Of the period, those that are counted. */
  events: number;
  /** When the first event of all was recorded, where that is within the period. */
  beganAt?: string;
  /** Longer times of the period in which nothing was recorded at all. */
  silences: { from: string; until: string }[];
  findings: Finding[];
  breaches: Breach[];
}

export interface LedgerStanding {
  repository: string;
  /** `unread`: nothing of it is in the report. `unverified`: its checkpoint cannot be believed. */
  state: 'untampered' | 'consistent' | 'gap' | 'unverified' | 'unread';
  untamperedUpTo?: string;
  /** Of the period. */
  events: number;
  faults: StandingFault[];
  /** Events that something is wrong with: they carry nothing. */
  leftOut: number;
  message?: string;
  waiting: number;
}

export interface StandingFault {
  what: LedgerFault['what'];
  message: string;
  /** Between which events of the same writer it is, where that is known. */
  after?: string;
  before?: string;
  /** Whether it may be in the period: also where nobody knows when it was. */
  isWithin: boolean;
}

export interface ComplianceRequest {
  plan: Plan;
  /** Milliseconds since 1970: from this moment on, before that one. */
  fromMs: number;
  untilMs: number;
  frameworks: readonly Framework[];
  ledgers: readonly ReadLedger[];
}

export function complianceReport({ plan, frameworks, ledgers, ...period }: ComplianceRequest): ComplianceReport {
  const { fromMs, untilMs } = period;
  const sound = ledgers.map((ledger) => ({ ledger, events: soundEvents(ledger) }));
  const placed = sound
    .flatMap(({ ledger: { repository }, events }) => events.map((event): PlacedEvent => ({ repository, event })))
    .sort((one, other) => Date.parse(one.event.time) - Date.parse(other.event.time));
  const facts = new ComplianceFacts(plan, period, placed);
  const applied = [...facts.before('plan.applied'), ...facts.of('plan.applied')].at(-1);
  const standings = sound.map(({ ledger, events }) => standingOf(ledger, events, period));
  const beganMs = placed[0] === undefined ? untilMs : Date.parse(placed[0].event.time);
  return {
    ...{ plan: plan.name, from: rfc(fromMs), until: rfc(untilMs), frameworks },
    ...(applied && { revision: { revision: applied.body.revision, appliedAt: rfc(applied.timeMs) } }),
    ledgers: standings,
    isWhole: standings.every(({ state }) => state === 'untampered' || state === 'consistent'),
    events: facts.within.length,
    ...(beganMs > fromMs && beganMs < untilMs && { beganAt: rfc(beganMs) }),
    silences: silencesIn(
      facts.within.map(({ event }) => Date.parse(event.time)).sort((one, other) => one - other),
      { fromMs: Math.max(fromMs, beganMs), untilMs },
    ),
    findings: findingsOf(facts, frameworks),
    breaches: breachRegister(facts),
  };
}

/** What a fault names carries nothing: of two that do not fit together nobody knows which one was edited. */
function soundEvents({ events, faults }: ReadLedger): LedgerEvent[] {
  const named = new Set(
    faults.flatMap(({ writer, sequence, what }) => {
      if (writer === undefined || sequence === undefined) return [];
      return what === 'edited' ? [`${writer}/${sequence}`, `${writer}/${sequence + 1}`] : [`${writer}/${sequence}`];
    }),
  );
  return events.filter(({ writer, sequence }) => !named.has(`${writer}/${sequence}`));
}

function standingOf(
  ledger: ReadLedger,
  sound: readonly LedgerEvent[],
  { fromMs, untilMs }: { fromMs: number; untilMs: number },
): LedgerStanding {
  const { repository, faults, untamperedUpTo, error, waiting, events } = ledger;
  const within = sound.filter(({ time }) => Date.parse(time) >= fromMs && Date.parse(time) < untilMs);
  const placed = faults.map((fault) => placedFault(fault, events, { fromMs, untilMs }));
  return {
    ...{ repository, state: stateOf(ledger), events: within.length, faults: placed },
    ...(untamperedUpTo !== undefined && { untamperedUpTo }),
    leftOut: events.length - sound.length,
    ...(error && { message: error.message }),
    waiting,
  };
}

function stateOf({ error, events, faults, untamperedUpTo }: ReadLedger): LedgerStanding['state'] {
  if (faults.length > 0) return 'gap';
  if (error !== undefined) return events.length === 0 ? 'unread' : 'unverified';
  return untamperedUpTo === undefined ? 'consistent' : 'untampered';
}

function placedFault(
  { what, message, writer, sequence }: LedgerFault,
  events: readonly LedgerEvent[],
  { fromMs, untilMs }: { fromMs: number; untilMs: number },
): StandingFault {
  const own = sequence === undefined ? [] : events.filter((event) => event.writer === writer);
  const after = own.filter((event) => event.sequence < sequence!).at(-1)?.time;
  const before = own.find((event) => event.sequence > sequence!)?.time;
  const isEarlier = before !== undefined && Date.parse(before) < fromMs;
  const isLater = after !== undefined && Date.parse(after) >= untilMs;
  return {
    ...{ what, message, isWithin: !isEarlier && !isLater },
    ...(after !== undefined && { after }),
    ...(before !== undefined && { before }),
  };
}

function silencesIn(
  timesMs: readonly number[],
  { fromMs, untilMs }: { fromMs: number; untilMs: number },
): ComplianceReport['silences'] {
  const moments = [fromMs, ...timesMs, untilMs];
  return moments.slice(1).flatMap((nextMs, index) => {
    const beforeMs = moments[index]!;
    return nextMs - beforeMs > SILENCE_MS ? [{ from: rfc(beforeMs), until: rfc(nextMs) }] : [];
  });
}

function rfc(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
