/** What a review has to talk about: what changed, what failed, and what nobody tested since the last. Pure. */
import { formatDuration } from '../../foundation/units.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { Plan, PlanChange, ReviewKind } from '../../plan/index.ts';
import type { Showing, Shown } from '../showings/showing.ts';
import { type LastShown, Showings, showingsIn } from '../showings/showings.ts';
import type { SourceStatus } from '../status/status.ts';

/** What an item is about. A review looks at some of them: see `LOOKED_AT`. */
export type Topic = 'plan' | 'backups' | 'recovery' | 'people' | 'control';

const LOOKED_AT: Readonly<Record<ReviewKind, readonly Topic[]>> = {
  strategy: ['plan', 'backups'],
  plan: ['plan', 'recovery', 'people'],
  audit: ['plan', 'backups', 'recovery', 'people', 'control'],
};

const TOPICS: Readonly<Record<Shown, Topic>> = {
  ...{ backup: 'backups', proof: 'backups', restore: 'backups', retention: 'backups', verification: 'backups' },
  ...{ group: 'backups', check: 'backups', mirror: 'backups', archive: 'backups', checkpoint: 'control' },
  ...{ drill: 'recovery', incident: 'recovery', meeting: 'recovery', step: 'recovery', breach: 'control' },
  kit: 'recovery',
  ...{ review: 'people', report: 'people', channel: 'people', alert: 'people' },
};

export interface AgendaItem {
  topic: Topic;
  /** In words. */
  text: string;
  /** RFC 3339: when it was last so; absent of what is so now. */
  at?: string;
}

/** Times are RFC 3339. */
export interface Agenda {
  plan: string;
  review: ReviewKind;
  /** From the last review on, or from when the record began. */
  since: string;
  /** Whether that is the last review. */
  wasHeld: boolean;
  changed: AgendaItem[];
  failed: AgendaItem[];
  untested: AgendaItem[];
}

export interface AgendaFacts {
  plan: Plan;
  review: ReviewKind;
  /** Of all repositories, oldest first. */
  events: readonly LedgerEvent[];
  /** Of the sources that could be looked at. */
  statuses: readonly SourceStatus[];
  /** In what the plan's file differs from its newest revision. */
  unapplied: readonly PlanChange[];
  nowMs: number;
}

export function agendaOf(facts: AgendaFacts): Agenda {
  const { plan, review, events, nowMs } = facts;
  const held = events.findLast(({ kind, body }) => kind === 'review.recorded' && body.review === review);
  const since = (held ?? events[0])?.time ?? new Date(nowMs).toISOString();
  const isRecent: IsRecent = (time) => held === undefined || Date.parse(time) > Date.parse(held.time);
  const recent = events.filter(({ time }) => isRecent(time));
  const looked = (items: readonly AgendaItem[]): AgendaItem[] =>
    items.filter(({ topic }) => LOOKED_AT[review].includes(topic));
  return {
    ...{ plan: plan.name, review, since, wasHeld: held !== undefined },
    changed: looked([...unappliedItems(facts), ...recent.flatMap((event) => changeOf(event) ?? [])]),
    failed: looked([...missedNow(facts), ...failures(showingsIn(events), isRecent), ...alertsIn(events, isRecent)]),
    untested: looked(untested(plan, new Showings(showingsIn(events)), isRecent)),
  };
}

/** Whether something was after the last review; all of it, where there was none. */
type IsRecent = (time: string) => boolean;

const MOST_UNAPPLIED = 20;

function unappliedItems({ unapplied }: AgendaFacts): AgendaItem[] {
  const named = unapplied.slice(0, MOST_UNAPPLIED).map(({ path, kind }) => `${path} (${kind})`);
  const more = unapplied.length > named.length ? [`${unapplied.length - named.length} more`] : [];
  return [...named, ...more].map((text) => ({ topic: 'plan', text: `in the file, and not applied: ${text}` }));
}

function changeOf({ kind, body, time: at, actor }: LedgerEvent): AgendaItem | undefined {
  const of = (topic: Topic, text: string): AgendaItem => ({ topic, text, at });
  switch (kind) {
    case 'plan.applied': {
      const { revision, why, weakened = [], by = actor } = body;
      const weaker = weakened.length === 0 ? '' : `; weakened: ${weakened.join('; ')}`;
      return of('plan', `revision ${revision} of the plan, by ${by}: ${why}${weaker}`);
    }
    case 'source.moved':
      return of('recovery', `the server of ${body.source} is another one`);
    case 'repository.promoted':
      return of('backups', `${body.repository} took the place of ${body.was}`);
    case 'missing.accepted':
      return of('backups', `${body.objects.length} objects that ${body.repository} lost were let go: ${body.why}`);
    case 'snapshot.held':
    case 'snapshot.released':
      return of('backups', `snapshot ${body.snapshot.slice(0, 8)} ${kind.slice(9)}: ${body.why ?? 'nobody said why'}`);
    case 'key.added':
    case 'key.removed':
      return of('control', `key ${body.key.slice(0, 8)} of ${body.repository} ${kind.slice(4)}, by ${actor}`);
    case 'token.created':
      return of('control', `token of ${body.name} made, as ${body.role}`);
    case 'token.revoked':
      return of('control', `token of ${body.name} revoked`);
    case 'locks.removed':
      return of('control', `${body.locks.length} locks of ${body.repository} removed, by ${actor}`);
    default:
      return undefined;
  }
}

const OBJECTIVES = { rpo: 'its RPO', rto: 'its RTO', proof: 'the age of its newest proof' } as const;

function missedNow({ statuses }: AgendaFacts): AgendaItem[] {
  return statuses.flatMap(({ source, missed }) =>
    missed.map(
      (objective): AgendaItem => ({ topic: 'backups', text: `${source} misses ${OBJECTIVES[objective]} now` }),
    ),
  );
}

const NAMES: Partial<Record<Shown, string>> = {
  ...{
    backup: 'backups of',
    proof: 'proofs of',
    restore: 'restores of',
    verification: 'the verification',
    group: 'the group',
  },
  ...{
    check: 'checks of',
    mirror: 'the mirror',
    archive: 'the archive',
    drill: 'drills of',
    incident: 'recoveries by',
  },
  ...{ step: 'the step', report: 'the report', channel: 'the channel' },
};

/** What did not end as it should, each subject once. */
function failures(showings: readonly Showing[], isRecent: IsRecent): AgendaItem[] {
  const recent = showings.filter(({ what, at }) => what !== 'alert' && isRecent(at));
  const bySubject = Map.groupBy(recent, ({ what, subject }) => `${what} ${subject}`);
  return [...bySubject.values()].flatMap((all): AgendaItem[] => {
    const wrong = all.filter(({ result }) => result !== 'done');
    const last = wrong.at(-1);
    if (last === undefined) return [];
    const words = last.words === undefined ? '' : `: ${last.words}`;
    const text = `${NAMES[last.what] ?? last.what} ${last.subject}: ${wrong.length} of ${all.length} not as they should be, the last ${WRONG[last.result]}${words}`;
    return [{ topic: TOPICS[last.what], text, at: last.at }];
  });
}

const WRONG = { done: '', partial: 'in part', missed: 'not as promised', failed: 'failed' } as const;

/** Alerts by their rules, and how many of them are open. */
function alertsIn(events: readonly LedgerEvent[], isRecent: IsRecent): AgendaItem[] {
  const open = new Map<string, { rule: string; subject: string; at: string }>();
  const raised = new Map<string, { count: number; at: string }>();
  for (const { kind, body, time } of events) {
    if (kind === 'alert.resolved') open.delete(body.alert);
    if (kind !== 'alert.raised') continue;
    open.set(body.alert, { rule: body.rule, subject: body.subject, at: time });
    if (isRecent(time)) {
      raised.set(body.rule, { count: (raised.get(body.rule)?.count ?? 0) + 1, at: time });
    }
  }
  const standing = [...open.values()].map(({ rule, subject, at }) => ({
    text: `alert ${rule} of ${subject}: open`,
    at,
  }));
  const rules = [...raised].map(([rule, { count, at }]) => ({ text: `alert ${rule}: raised ${count}×`, at }));
  // Whoever looks at the plan looks at what it alarmed of, whatever that was.
  return [...standing, ...rules].map((item) => ({ topic: 'plan', ...item }));
}

/** What of the plan was not shown to work since then. */
function untested(plan: Plan, showings: Showings, isRecent: IsRecent): AgendaItem[] {
  const missing = (what: Shown, subjects: Iterable<string>, words: (subject: string) => string): AgendaItem[] =>
    [...subjects].flatMap((subject) => {
      const { good }: LastShown = showings.of(what, subject);
      if (good !== undefined && isRecent(good.at)) return [];
      const text = good === undefined ? `${words(subject)}: never` : `${words(subject)}: not since`;
      return [{ topic: TOPICS[what], text, ...(good && { at: good.at }) }];
    });
  const archives = [...plan.repositories.values()].filter(({ archive }) => archive !== undefined);
  const drilled = new Set(plan.drills.flatMap(({ runbooks, isRescue }) => (isRescue ? [] : runbooks)));
  const rescued = plan.drills.some(({ isRescue }) => isRescue) ? ['rescue'] : [];
  const channels = [...plan.alerts.channels.values()].filter(({ type }) => type !== 'heartbeat');
  return [
    ...missing('proof', plan.sources.keys(), (source) => `${source} restored and validated`),
    ...missing('group', plan.groups.keys(), (group) => `the group ${group} restored to one moment`),
    ...missing(
      'verification',
      plan.verifications.map(({ name }) => name),
      (name) => `the verification ${name} done`,
    ),
    ...missing('check', plan.repositories.keys(), (name) => `the repository ${name} checked`),
    ...missing('mirror', plan.mirrors.keys(), (name) => `the mirror ${name} brought up to date`),
    ...missing(
      'archive',
      archives.map(({ name }) => name),
      (name) => `copied to the archive ${name}`,
    ),
    ...missing('drill', plan.runbooks.keys(), (runbook) =>
      drilled.has(runbook)
        ? `the runbook ${runbook} drilled`
        : `the runbook ${runbook}, which no drill of the plan names, drilled`,
    ),
    ...missing('drill', rescued, () => 'a rescue from the recovery kit drilled'),
    ...missing('kit', [''], () => 'the recovery kit held against the repositories'),
    ...missing(
      'channel',
      channels.map(({ name }) => name),
      (name) => `the channel ${name} used`,
    ),
    ...missing('review', plan.reviews.keys(), (review) => `the review of the ${review} held`),
  ];
}

/** How long the time is that an agenda is of. */
export function spanWords({ since }: Agenda, nowMs: number): string {
  return formatDuration(Math.max(0, nowMs - Date.parse(since)));
}
