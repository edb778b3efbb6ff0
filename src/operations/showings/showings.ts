/** What the ledger shows of what a plan promises: that it was done, when, and with which result. Pure. */
import { formatDuration, formatSize } from '../../foundation/units.ts';
import type { LedgerEvent } from '../../ledger/index.ts';

/**
 * What was shown. Subjects: of `backup`, `proof`, `restore` and `retention` a source; of `verification`, `group`, `report`,
 * `review`, `channel`, `mirror`, `archive` its name; of `check` a repository; of `drill`, `incident` and `meeting`, which is the review
 * after either, a runbook, or `rescue`; of `checkpoint` and `kit` nothing; of `step` `RUNBOOK.STEP`; of `alert` a rule; of `breach` an incident.
 */
export type Shown =
  | 'backup'
  | 'proof'
  | 'restore'
  | 'retention'
  | 'verification'
  | 'group'
  | 'check'
  | 'checkpoint'
  | 'mirror'
  | 'archive'
  | 'drill'
  | 'incident'
  | 'meeting'
  | 'step'
  | 'breach'
  | 'review'
  | 'report'
  | 'channel'
  | 'kit'
  | 'alert';

export interface Showing {
  what: Shown;
  subject: string;
  /** RFC 3339. */
  at: string;
  /** `missed`: it came to its end, and not as promised. `failed`: it shows nothing but that. */
  result: 'done' | 'partial' | 'missed' | 'failed';
  /** What was measured: of a drill and an incident the time until people could work again. */
  durationMs?: number;
  /** More of it, for people. */
  words?: string;
}

/** The kinds of events that show something, and those that tell what they are about. */
export const SHOWING_KINDS: readonly LedgerEvent['kind'][] = [
  ...(['backup.finished', 'backup.failed', 'proof.recorded', 'restore.finished', 'restore.failed'] as const),
  ...(['retention.decided', 'verification.finished', 'group.verified', 'check.finished', 'checkpoint.signed'] as const),
  ...(['mirror.finished', 'mirror.failed', 'archive.finished', 'archive.failed'] as const),
  ...(['drill.started', 'drill.finished', 'incident.opened', 'incident.closed', 'step.finished'] as const),
  ...(['breach.declared', 'breach.reported', 'review.recorded', 'report.delivered'] as const),
  ...(['alert.notified', 'alert.raised', 'run.missed', 'run.died', 'kit.checked', 'rescue.finished'] as const),
];

/** @param events oldest first */
export function showingsIn(events: readonly LedgerEvent[]): Showing[] {
  const runbooks = new Map<string, string>();
  const breaches = new Map<string, string>();
  return events.flatMap((event): Showing[] => {
    if (event.kind === 'drill.started') runbooks.set(event.body.drill, event.body.runbook);
    if (event.kind === 'incident.opened') runbooks.set(event.body.incident, event.body.runbook ?? '');
    if (event.kind === 'breach.declared') breaches.set(event.body.incident, event.body.since);
    const shown = ofData(event) ?? ofRecovery(event, { runbooks, breaches }) ?? ofPeople(event, runbooks);
    return shown === undefined ? [] : [shown].flat();
  });
}

type Found = Showing | Showing[] | undefined;

/** Backups, proofs and what keeps them. */
function ofData(event: LedgerEvent): Found {
  const at = event.time;
  const of = (what: Shown, subject: string, result: Showing['result'], more: Partial<Showing> = {}): Showing => ({
    ...{ what, subject, at, result },
    ...more,
  });
  switch (event.kind) {
    case 'backup.finished': {
      const { source, outcome, only, durationMs, bytesProcessed } = event.body;
      if (only !== undefined) return undefined;
      const words = formatSize(bytesProcessed);
      return of('backup', source, outcome === 'complete' ? 'done' : 'partial', { durationMs, words });
    }
    case 'backup.failed': {
      const { source, only, code, message } = event.body;
      if (only !== undefined || code === 'interrupted') return undefined;
      return of('backup', source, 'failed', { words: message });
    }
    case 'run.died':
    case 'run.missed': {
      const [kind, source = ''] = event.body.task.split(':');
      if (kind !== 'backup') return undefined;
      const words = event.kind === 'run.died' ? 'its process died' : `it was due and did not run, ${event.body.count}×`;
      return of('backup', source, 'failed', { words });
    }
    case 'proof.recorded': {
      const { source, part, state, durationMs, checksFailed, reason } = event.body;
      if (part === true) return undefined;
      if (state === 'proven') return of('proof', source, 'done', { durationMs });
      const words = state === 'failed' ? checksFailed.join(', ') : `not provable here: ${reason ?? ''}`;
      return of('proof', source, 'failed', { words });
    }
    case 'restore.finished': {
      const { source, outcome, durationMs, target } = event.body;
      if (source === undefined) return undefined;
      return of('restore', source, outcome === 'complete' ? 'done' : 'partial', { durationMs, words: target });
    }
    case 'restore.failed': {
      const { source, code, message } = event.body;
      return source === undefined || code === 'interrupted'
        ? undefined
        : of('restore', source, 'failed', { words: message });
    }
    case 'retention.decided': {
      const { source, kept, removed } = event.body;
      return of('retention', source, 'done', { words: `${kept} kept, ${removed.length} removed` });
    }
    case 'verification.finished': {
      const { verification, outcome, sources, durationMs } = event.body;
      const wrong = sources.filter(({ state }) => state !== 'checked' && state !== 'proven');
      const words = wrong.map(({ source, state }) => `${source}: ${state}`).join(', ');
      return of('verification', verification, outcome, { durationMs, ...(words !== '' && { words }) });
    }
    case 'group.verified': {
      const { group, state, checksFailed } = event.body;
      return of('group', group, state === 'proven' ? 'done' : 'failed', { words: [state, ...checksFailed].join(', ') });
    }
    case 'check.finished': {
      const { repository, clean, readData, subset, errors } = event.body;
      const read = readData ? `${subset ?? 'all'} of the data read` : 'no data read';
      return of('check', repository, clean ? 'done' : 'failed', { words: clean ? read : `${errors} errors` });
    }
    case 'checkpoint.signed':
      return of('checkpoint', '', 'done', { words: `${event.body.events} events` });
    case 'mirror.finished':
      return of('mirror', event.body.mirror, 'done', { words: `${formatDuration(event.body.lagMs)} behind before it` });
    case 'mirror.failed':
      return of('mirror', event.body.mirror, 'failed', { words: event.body.message });
    case 'archive.finished': {
      const { archive, failed, sources } = event.body;
      const words = failed.length === 0 ? sources.map(({ source }) => source) : failed.map(({ source }) => source);
      return of('archive', archive, failed.length === 0 ? 'done' : 'partial', { words: words.join(', ') });
    }
    case 'archive.failed':
      return of('archive', event.body.archive, 'failed', { words: event.body.message });
    default:
      return undefined;
  }
}

const RECOVERED: Readonly<Record<string, Showing['result']>> = { done: 'done', partial: 'partial', missed: 'missed' };
const STEPPED: Readonly<Record<string, Showing['result']>> = { done: 'done', partial: 'partial' };

/** Drills, incidents and their steps. */
function ofRecovery(
  event: LedgerEvent,
  { runbooks, breaches }: { runbooks: ReadonlyMap<string, string>; breaches: ReadonlyMap<string, string> },
): Found {
  const at = event.time;
  switch (event.kind) {
    case 'drill.finished':
    case 'incident.closed': {
      const id = 'drill' in event.body ? event.body.drill : event.body.incident;
      const { outcome = 'done', rtoMs, why } = event.body;
      const what = event.kind === 'drill.finished' ? 'drill' : 'incident';
      return {
        ...{ what, subject: runbooks.get(id) ?? '', at, result: RECOVERED[outcome] ?? 'failed' },
        ...(rtoMs !== undefined && { durationMs: rtoMs }),
        words: why === undefined || outcome === 'done' ? outcome : `${outcome}: ${why}`,
      };
    }
    case 'step.finished': {
      const { run, step, outcome, durationMs } = event.body;
      const runbook = runbooks.get(run);
      if (runbook === undefined || outcome === 'skipped') return undefined;
      const result = STEPPED[outcome] ?? 'failed';
      return { what: 'step', subject: `${runbook}.${step}`, at, result, durationMs };
    }
    case 'rescue.finished': {
      const { outcome, durationMs } = event.body;
      return { what: 'drill', subject: 'rescue', at, result: outcome, durationMs, words: outcome };
    }
    case 'kit.checked': {
      const { outcome, problems = [] } = event.body;
      const words = problems.join('; ');
      const result = outcome === 'current' ? 'done' : 'failed';
      return { what: 'kit', subject: '', at, result, ...(words !== '' && { words }) };
    }
    case 'breach.reported': {
      const since = breaches.get(event.body.incident);
      if (since === undefined) return undefined;
      const durationMs = Date.parse(at) - Date.parse(since);
      return { what: 'breach', subject: event.body.incident, at, result: 'done', durationMs, words: event.body.to };
    }
    default:
      return undefined;
  }
}

/** Reviews, reports, alerts and who was told. */
function ofPeople(event: LedgerEvent, runbooks: ReadonlyMap<string, string>): Found {
  const at = event.time;
  switch (event.kind) {
    case 'review.recorded': {
      const { review, attended, note } = event.body;
      const words = `${attended.join(', ')}${note === undefined ? '' : `: ${note}`}`;
      const runbook = runbooks.get(review.replace(/^(?:incident|drill)-/, ''));
      if (runbook !== undefined) return { what: 'meeting', subject: runbook, at, result: 'done', words };
      return { what: 'review', subject: review, at, result: 'done', words };
    }
    case 'report.delivered': {
      const [subject = ''] = event.body.report.split(' ');
      const { channel, outcome, message } = event.body;
      const result = outcome === 'delivered' ? 'done' : 'failed';
      return [
        { what: 'report', subject, at, result, words: channel },
        { what: 'channel', subject: channel, at, result, words: message ?? 'a report' },
      ];
    }
    case 'alert.notified': {
      const { channel, outcome, message } = event.body;
      const result = outcome === 'delivered' ? 'done' : 'failed';
      return { what: 'channel', subject: channel, at, result, words: message ?? 'an alert' };
    }
    case 'alert.raised':
      return { what: 'alert', subject: event.body.rule, at, result: 'done', words: event.body.subject };
    default:
      return undefined;
  }
}

/** Of something, the newest showing, and the newest that did not fail. */
export interface LastShown {
  last?: Showing;
  good?: Showing;
}

/** The newest showings of everything. */
export class Showings {
  readonly #known = new Map<string, LastShown>();

  /** @param showings oldest first */
  constructor(showings: readonly Showing[]) {
    for (const showing of showings) {
      const key = `${showing.what} ${showing.subject}`;
      const { good } = this.#known.get(key) ?? {};
      const newestGood = showing.result === 'failed' ? good : showing;
      this.#known.set(key, { last: showing, ...(newestGood && { good: newestGood }) });
    }
  }

  of(what: Shown, subject: string): LastShown {
    return this.#known.get(`${what} ${subject}`) ?? {};
  }
}
