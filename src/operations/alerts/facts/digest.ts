import type { EventBodies, LedgerEvent, Summary } from '../../../ledger/index.ts';
import type { ReviewKind } from '../../../plan/index.ts';
import { wasAttempted } from '../../restore/attempted.ts';
import { type AlertEvent, alertEventsIn } from '../book.ts';
import type { Attempt, ProofAttempt, RecordFacts, RunFacts, SourceFacts } from './facts.ts';
import { kitFacts } from './kit-facts.ts';
import { recoveryFacts } from './recovery-facts.ts';

/** What the ledger of one repository says, sorted by what it is about. */
export interface Digest {
  /** When its first event was written. */
  beganMs: number | undefined;
  /** Of each source, oldest first: what tells how its backups and proofs went. */
  bySource: ReadonlyMap<string, readonly LedgerEvent[]>;
  /** Of the repository itself, oldest first: checks, mirrors, archives, what healed or is hidden. */
  own: readonly LedgerEvent[];
  /** Of runs, reviews and alerts, in the order of the ledger. */
  record: readonly LedgerEvent[];
}

const SOURCE_KINDS = new Set<LedgerEvent['kind']>([
  ...(['backup.finished', 'backup.failed', 'proof.recorded', 'restore.finished', 'restore.failed'] as const),
  ...([
    'follow.started',
    'follow.stopped',
    'log.gap',
    'log.folded',
    'snapshot.suspected',
    'snapshot.cleared',
    'snapshot.checked',
  ] as const),
]);
const RECORD_KINDS = /^(run|duty|review|alert|tasks|incident|breach|step|drill|kit|key|rescue)\./;
const OWN_KINDS = /^(check|mirror|archive|object|lock|repair)\./;

/** Of what is frequent so many are kept of each kind, and all of the last days: a process that looks for years holds no more. */
const KEPT_EVENTS = 200;
const KEPT_MS = 31 * 24 * 3_600_000;
const MANY = new Set<LedgerEvent['kind']>([...(['backup.finished', 'backup.failed', 'log.folded'] as const)]);
const KEPT_RUN_EVENTS = 50;
const KEPT_MIRROR_RUNS = 50;

/** What a digest is made of, as the ledger grows: what is kept no longer goes now and then. */
export interface DigestState {
  beganMs: number | undefined;
  /** The latest time of any event. */
  newestMs: number;
  bySource: Map<string, Trimmed>;
  own: Trimmed;
  record: Trimmed;
}

/** Events of which some go: again when there are so many. */
interface Trimmed {
  events: LedgerEvent[];
  trimAt: number;
}

const TRIM_FIRST_AT = 1000;

export const digestSummary: Summary<DigestState> = {
  name: 'digest-1',
  initial: () => ({
    ...{ beganMs: undefined, newestMs: Number.NEGATIVE_INFINITY, bySource: new Map() },
    own: { events: [], trimAt: TRIM_FIRST_AT },
    record: { events: [], trimAt: TRIM_FIRST_AT },
  }),
  add(state, event) {
    const timeMs = Date.parse(event.time);
    state.beganMs ??= timeMs;
    state.newestMs = Math.max(state.newestMs, timeMs);
    const { source } = event.body as { source?: string };
    if (event.kind === 'verification.finished') {
      for (const each of event.body.sources) addTrimmed(ofSource(state, each.source), event, state.newestMs);
    } else if (SOURCE_KINDS.has(event.kind) && source !== undefined) {
      addTrimmed(ofSource(state, source), event, state.newestMs);
    } else if (RECORD_KINDS.test(event.kind)) addTrimmed(state.record, event, state.newestMs);
    else if (OWN_KINDS.test(event.kind)) addTrimmed(state.own, event, state.newestMs);
  },
  copy: ({ beganMs, newestMs, bySource, own, record }) => ({
    ...{ beganMs, newestMs, own: copied(own), record: copied(record) },
    bySource: new Map([...bySource].map(([source, trimmed]) => [source, copied(trimmed)])),
  }),
};

function copied({ events, trimAt }: Trimmed): Trimmed {
  return { events: [...events], trimAt };
}

function ofSource({ bySource }: DigestState, source: string): Trimmed {
  const known = bySource.get(source) ?? { events: [], trimAt: TRIM_FIRST_AT };
  bySource.set(source, known);
  return known;
}

function addTrimmed(trimmed: Trimmed, event: LedgerEvent, newestMs: number): void {
  trimmed.events.push(event);
  if (trimmed.events.length < trimmed.trimAt) return;
  trimmed.events = keptOf(trimmed.events, newestMs - KEPT_MS);
  trimmed.trimAt = Math.max(TRIM_FIRST_AT, 2 * trimmed.events.length);
}

/** What is kept of what a ledger came to. It stays as it is when the state changes. */
export function digestOf({ beganMs, newestMs, bySource, own, record }: DigestState): Digest {
  const sinceMs = newestMs - KEPT_MS;
  return {
    beganMs,
    bySource: new Map([...bySource].map(([source, { events }]) => [source, keptOf(events, sinceMs)])),
    own: keptOf(own.events, sinceMs),
    record: keptOf(record.events, sinceMs),
  };
}

/** Of what is left out now, nothing is kept later either. */
function keptOf(events: readonly LedgerEvent[], sinceMs: number): LedgerEvent[] {
  const counts = new Map<string, number>();
  const kept = events.toReversed().filter((event) => {
    const { of, most } = limitOf(event);
    const count = (counts.get(of) ?? 0) + 1;
    counts.set(of, count);
    return count <= most || (MANY.has(event.kind) && Date.parse(event.time) >= sinceMs);
  });
  return kept.reverse();
}

/** Among which other events it counts, and how many of them are kept. */
function limitOf(event: LedgerEvent): { of: string; most: number } {
  if (MANY.has(event.kind)) return { of: event.kind, most: KEPT_EVENTS };
  if (event.kind === 'mirror.finished' || event.kind === 'mirror.failed') {
    return { of: `${event.kind} ${event.body.mirror}`, most: KEPT_MIRROR_RUNS };
  }
  const { task } = event.body as { task?: string };
  if (task !== undefined && RECORD_KINDS.test(event.kind)) return { of: `task ${task}`, most: KEPT_RUN_EVENTS };
  return { of: '', most: Number.POSITIVE_INFINITY };
}

/** Backups of all of a source, oldest first. */
export function backupsIn(events: readonly LedgerEvent[]): Attempt[] {
  return events.flatMap((event): Attempt[] => {
    if (event.kind !== 'backup.finished' && event.kind !== 'backup.failed') return [];
    if (event.body.only !== undefined) return [];
    const common = { timeMs: Date.parse(event.time), durationMs: event.body.durationMs };
    if (event.kind === 'backup.failed') return [{ ...common, outcome: 'failed', message: event.body.message }];
    return [{ ...common, outcome: event.body.outcome, snapshot: event.body.snapshot }];
  });
}

export function newestRestoreIn(events: readonly LedgerEvent[]): Attempt | undefined {
  const last = events.findLast(
    ({ kind, body }) => kind === 'restore.finished' || (kind === 'restore.failed' && wasAttempted(body.code)),
  );
  if (last?.kind !== 'restore.finished' && last?.kind !== 'restore.failed') return undefined;
  const { durationMs, snapshot } = last.body;
  const outcome = last.kind === 'restore.failed' ? 'failed' : last.body.outcome;
  return { timeMs: Date.parse(last.time), durationMs, outcome, snapshot };
}

export function newestProofIn(events: readonly LedgerEvent[]): ProofAttempt | undefined {
  const proofs = events.flatMap((event) =>
    event.kind === 'proof.recorded' && event.body.part === undefined ? [event] : [],
  );
  const last = proofs.at(-1);
  if (last === undefined) return undefined;
  const failing = proofs.slice(proofs.findLastIndex(({ body }) => body.state === 'proven') + 1)[0];
  const { state, snapshot, durationMs, checksFailed, reason } = last.body;
  const failed = checksFailed.map((name) => `"${name}"`).join(', ');
  return {
    ...{ timeMs: Date.parse(last.time), durationMs, state, snapshot },
    ...(failing && { failingMs: Date.parse(failing.time) }),
    reason: reason ?? (failed === '' ? 'no check says why' : `these checks did not pass: ${failed}`),
  };
}

/**
 * What the last verification that read all bytes of a recovery point of a source found wrong, if it did, and no check since
 * has read all of the repository and found nothing.
 * @param checks of the repository, oldest first
 */
export function unreadableIn(
  source: string,
  events: readonly LedgerEvent[],
  checks: readonly LedgerEvent[] = [],
): SourceFacts['unreadable'] {
  const read = events.flatMap((event) => {
    if (event.kind !== 'verification.finished' || event.body.level !== 'checked') return [];
    const found = event.body.sources.find((each) => each.source === source);
    return found?.state === 'checked' || found?.state === 'failed'
      ? [{ ...found, timeMs: Date.parse(event.time) }]
      : [];
  });
  const last = read.at(-1);
  if (last?.state !== 'failed') return undefined;
  if (checks.some((each) => Date.parse(each.time) > last.timeMs && foundAllWell(each))) return undefined;
  const first = read[read.findLastIndex(({ state }) => state === 'checked') + 1]!;
  return { snapshot: last.snapshot ?? '', sinceMs: first.timeMs, message: last.message ?? 'nothing says why' };
}

/** Whether a check read all data of a repository, and nothing was wrong. */
function foundAllWell({ kind, body }: LedgerEvent): boolean {
  return kind === 'check.finished' && body.clean && body.readData && body.subset === undefined;
}

/** Snapshots that were marked as suspect and not cleared, by their trees: a copy of one is as suspect. */
export function suspectsIn(
  events: readonly LedgerEvent[],
): { tree: string; snapshot: string; timeMs: number; why: string }[] {
  const suspects = new Map<string, { tree: string; snapshot: string; timeMs: number; why: string }>();
  for (const event of events) {
    if (event.kind === 'snapshot.cleared') suspects.delete(event.body.tree);
    if (event.kind !== 'snapshot.suspected') continue;
    const { tree, snapshot, why } = event.body;
    suspects.set(tree, { tree, snapshot, why, timeMs: Date.parse(event.time) });
  }
  return [...suspects.values()];
}

/** When following a source ended though nobody asked for it, and did not begin again. */
export function stoppedIn(events: readonly LedgerEvent[]): { timeMs: number; message: string } | undefined {
  const last = events.findLast(({ kind }) => kind === 'follow.started' || kind === 'follow.stopped');
  if (last?.kind !== 'follow.stopped' || last.body.message === undefined) return undefined;
  return { timeMs: Date.parse(last.time), message: last.body.message };
}

/** What a drill came to that was held to its end. */
const SHOWN: ReadonlySet<string> = new Set(['done', 'partial', 'missed']);

/** When a drill of each runbook was held last; of a rescue that brought every source back, by its task. */
function drillsIn(events: readonly LedgerEvent[]): RecordFacts['drills'] {
  const runbooks = new Map<string, string>();
  const held = new Map<string, number>();
  for (const { kind, body, time } of events) {
    if (kind === 'drill.started') runbooks.set(body.drill, body.runbook);
    if (kind === 'rescue.finished' && body.task !== undefined && isAllBack(body)) held.set(body.task, Date.parse(time));
    if (kind !== 'drill.finished' || !SHOWN.has(body.outcome ?? 'done')) continue;
    const runbook = runbooks.get(body.drill);
    if (runbook !== undefined) held.set(runbook, Date.parse(time));
  }
  return held;
}

/** Of what did not come back the outcome is why: the code of an error. */
function isAllBack({ sources }: EventBodies['rescue.finished']): boolean {
  return sources.length > 0 && sources.every(({ outcome }) => outcome === 'complete' || outcome === 'partial');
}

/** @param events of the ledgers of all repositories, oldest first */
export function recordOf(events: readonly LedgerEvent[], known: { isKnown: boolean; beganMs?: number }): RecordFacts {
  const runs = new Map<string, RunFacts & { open: Map<string, number> }>();
  const reviews = new Map<ReviewKind, number>();
  for (const event of events) {
    if (event.kind === 'review.recorded') reviews.set(event.body.review as ReviewKind, Date.parse(event.time));
    else noteRun(runs, event);
  }
  const failedChannels = failedChannelsIn(alertEventsIn(events));
  const recoveries = recoveryFacts(events);
  return { ...known, runs, reviews, failedChannels, recoveries, drills: drillsIn(events), kit: kitFacts(events) };
}

function noteRun(runs: Map<string, RunFacts & { open: Map<string, number> }>, event: LedgerEvent): void {
  const timeMs = Date.parse(event.time);
  const of = (task: string) => {
    const known = runs.get(task) ?? { task, open: new Map<string, number>() };
    runs.set(task, known);
    return known;
  };
  switch (event.kind) {
    case 'run.started': {
      const run = of(event.body.task);
      run.open.set(event.body.run, timeMs);
      run.startedMs = run.runningMs = timeMs;
      return;
    }
    case 'run.finished': {
      const { task, run, outcome, code, message } = event.body;
      closeRun(of(task), run);
      // Somebody stopped the daemon: it is done again.
      if (code !== 'interrupted') endRun(of(task), { timeMs, outcome, ...(message !== undefined && { message }) });
      return;
    }
    case 'run.died':
      closeRun(of(event.body.task), event.body.run);
      endRun(of(event.body.task), { timeMs, outcome: 'died' });
      return;
    case 'duty.failed':
      endRun(of(`duty:${event.body.duty}`), { timeMs, outcome: 'failed', message: event.body.message });
      return;
    case 'duty.recovered':
      endRun(of(`duty:${event.body.duty}`), { timeMs, outcome: 'done' });
      return;
    case 'run.missed': {
      const { from, to, count, reason } = event.body;
      const when = { fromMs: Date.parse(from), toMs: Date.parse(to), count, foundMs: timeMs };
      of(event.body.task).missed = { ...when, isBusy: reason === 'busy' };
      return;
    }
    case 'tasks.changed':
      // What the plan has no more is nothing that could fail.
      for (const task of event.body.removed) runs.delete(task);
      return;
    default:
  }
}

function closeRun(run: RunFacts & { open: Map<string, number> }, id: string): void {
  run.open.delete(id);
  if (run.open.size === 0) delete run.runningMs;
  else run.runningMs = Math.max(...run.open.values());
}

function endRun(run: RunFacts, last: NonNullable<RunFacts['last']>): void {
  run.last = last;
  if (last.outcome === 'failed' || last.outcome === 'died') run.failingMs ??= last.timeMs;
  else delete run.failingMs;
}

/** Channels of which the newest that was sent was refused, and since when all of it was. */
function failedChannelsIn(events: readonly AlertEvent[]): RecordFacts['failedChannels'] {
  const failing = new Map<string, { channel: string; sinceMs: number; message: string }>();
  for (const { kind, body, time } of events) {
    if (kind !== 'alert.notified') continue;
    const { channel, outcome, message = 'it did not say why' } = body;
    if (outcome === 'delivered') failing.delete(channel);
    else failing.set(channel, { channel, message, sinceMs: failing.get(channel)?.sinceMs ?? Date.parse(time) });
  }
  return [...failing.values()];
}
