import { createHash } from 'node:crypto';
import {
  type AlertEvents,
  type AlertStand,
  type EventEnvelope,
  type LedgerEvent,
  mergedByTime,
} from '../../ledger/index.ts';
import type { RuleName, Severity } from '../../plan/index.ts';

const HOUR_MS = 3_600_000;
/** An alert that is raised for so many times within an hour comes and goes: it is held. */
const FLAPS_FROM = 3;

export type AlertEventKind = keyof AlertEvents;
/** What an alert event says, wherever it is: in the ledger, or on its way there. */
export type AlertEvent = {
  [Kind in AlertEventKind]: Pick<EventEnvelope, 'time' | 'actor'> & { kind: Kind; body: AlertEvents[Kind] };
}[AlertEventKind];

/** An alert, with all that happened to it. Times are milliseconds since 1970. */
export interface BookedAlert {
  id: string;
  rule: RuleName;
  subject: string;
  severity: Severity;
  message: string;
  /** RFC 3339. */
  since: string;
  endangers: string;
  command: string;
  runbooks: readonly string[];
  raisedMs: number;
  /** Whether it was raised again and again. */
  flaps: boolean;
  /** How often what it says has changed. */
  changes: number;
  acknowledged?: { by: string; timeMs: number; note?: string };
  resolvedMs?: number;
  /** What each channel was told. */
  told: Map<string, ChannelTold>;
}

/** What a channel was told of an alert, and what it did not take. */
export interface ChannelTold {
  /** For which reasons it was told that the alert is there; none where it took nothing. */
  reasons: Set<string>;
  /** Of how many changes it knows. */
  changes: number;
  acknowledged: boolean;
  resolved: boolean;
  /** Whether another channel was told since this one refused. */
  covered: boolean;
  /** Of each piece of news and reason that it refused: how often since, and when last. */
  refused: Map<string, { count: number; timeMs: number }>;
}

export interface Mute {
  rule: string;
  /** All subjects when absent. */
  subject?: string;
  fromMs: number;
  untilMs: number;
  why: string;
  by: string;
}

const REASONS_APART = '; ';

/** Several reasons as one text, and back. */
export const reasonText = (reasons: readonly string[]): string => reasons.join(REASONS_APART);
const reasonsOf = (text: string): string[] => text.split(REASONS_APART);

/** The alerts as the ledger tells them. The same event once more changes nothing. */
export class AlertBook {
  readonly #alerts = new Map<string, BookedAlert>();
  /** The newest of each rule and subject. */
  readonly #newest = new Map<string, BookedAlert>();
  /** When alerts of each rule and subject were raised, within an hour before the newest. */
  readonly #lately = new Map<string, readonly number[]>();
  readonly #mutes: Mute[] = [];

  /** @param events oldest first; what is not about alerts is passed over */
  static of(events: Iterable<AlertEvent | LedgerEvent>): AlertBook {
    const book = new AlertBook();
    for (const event of alertEventsIn(events)) book.apply(event);
    return book;
  }

  /** All, oldest first. */
  get alerts(): readonly BookedAlert[] {
    return [...this.#alerts.values()];
  }

  /** Those that are not resolved, oldest first. */
  get open(): readonly BookedAlert[] {
    return this.alerts.filter(({ resolvedMs }) => resolvedMs === undefined);
  }

  get mutes(): readonly Mute[] {
    return this.#mutes;
  }

  get(id: string): BookedAlert | undefined {
    return this.#alerts.get(id);
  }

  openOf(rule: string, subject: string): BookedAlert | undefined {
    const newest = this.#newest.get(keyOf({ rule, subject }));
    return newest?.resolvedMs === undefined ? newest : undefined;
  }

  /** The id that the next alert of a rule and subject has: whoever raises it from the same record gives it the same one. */
  nextId(about: { rule: string; subject: string }): string {
    const before = this.#newest.get(keyOf(about))?.id ?? '';
    return createHash('sha256')
      .update(`${keyOf(about)} ${before}`)
      .digest('hex')
      .slice(0, 12);
  }

  apply({ kind, body, time, actor }: AlertEvent): void {
    const timeMs = Date.parse(time);
    switch (kind) {
      case 'alert.raised':
        this.#raise(body, timeMs);
        break;
      case 'alert.muted':
        this.#mute({ ...body, fromMs: timeMs, untilMs: Date.parse(body.until), by: body.by ?? actor });
        break;
      case 'alert.notified':
        for (const [index, id] of body.alerts.entries()) note(this.#alerts.get(id), body, { index, timeMs });
        break;
      case 'alert.acknowledged':
      case 'alert.resolved':
      case 'alert.updated': {
        const alert = this.#alerts.get(body.alert);
        if (alert?.resolvedMs !== undefined) break;
        if (alert !== undefined) change(alert, { kind, body } as Change, timeMs);
      }
    }
  }

  #raise({ alert: id, runbooks = [], ...body }: AlertEvents['alert.raised'], raisedMs: number): void {
    if (this.#alerts.has(id)) return;
    const same = this.#lately.get(keyOf(body)) ?? [];
    const before = same.filter((each) => raisedMs - each < HOUR_MS);
    const flaps = before.filter((each) => each <= raisedMs).length + 1 >= FLAPS_FROM;
    this.#lately.set(keyOf(body), [...before, raisedMs]);
    const alert: BookedAlert = {
      ...{ id, runbooks, raisedMs, changes: 0, told: new Map(), flaps },
      ...body,
      rule: body.rule as RuleName,
      severity: body.severity as Severity,
    };
    this.#alerts.set(id, alert);
    this.#newest.set(keyOf(alert), alert);
  }

  /** The newest of the same rule and subject holds: it ends the one before. */
  #mute(mute: Mute): void {
    const isSame = (other: Mute) => other.rule === mute.rule && other.subject === mute.subject;
    if (this.#mutes.some((each) => isSame(each) && each.fromMs === mute.fromMs)) return;
    for (const each of this.#mutes.filter(isSame)) each.untilMs = Math.min(each.untilMs, mute.fromMs);
    this.#mutes.push(mute);
  }
}

/**
 * Without those of alerts that were over before a moment, so that what is looked at again and again does not grow with the
 * years. Of each rule and subject the newest alert stays, by which the next gets its id, and of each channel what tells
 * whether it takes anything.
 * @param events of all ledgers of a plan, oldest first
 */
export function withoutOld(events: readonly AlertEvent[], overSinceMs: number): AlertEvent[] {
  const about = new Map<string, string>();
  const newest = new Map<string, string>();
  const old = new Set<string>();
  for (const { kind, body, time } of events) {
    if (kind === 'alert.raised' && !about.has(body.alert)) {
      about.set(body.alert, keyOf(body));
      newest.set(keyOf(body), body.alert);
    } else if (kind === 'alert.resolved' && Date.parse(time) < overSinceMs) old.add(body.alert);
  }
  const isOld = (alert: string): boolean => old.has(alert) && newest.get(about.get(alert) ?? '') !== alert;
  const telling = tellingOfChannels(events);
  return events.filter((event) => {
    if (event.kind === 'alert.muted') return true;
    if (event.kind === 'alert.notified') return telling.has(event) || !event.body.alerts.every(isOld);
    return !isOld(event.body.alert);
  });
}

/** The newest that each channel took or refused, and the first that it has refused since. */
function tellingOfChannels(events: readonly AlertEvent[]): Set<AlertEvent> {
  const last = new Map<string, AlertEvent>();
  const firstRefused = new Map<string, AlertEvent>();
  for (const event of events) {
    if (event.kind !== 'alert.notified') continue;
    const { channel, outcome } = event.body;
    last.set(channel, event);
    if (outcome === 'delivered') firstRefused.delete(channel);
    else if (!firstRefused.has(channel)) firstRefused.set(channel, event);
  }
  return new Set([...last.values(), ...firstRefused.values()]);
}

/**
 * What the ledger says, and what this process has added, which the ledger may not show or have yet: each once, oldest first.
 * @param recorded oldest first
 */
export function withAdded(recorded: readonly AlertEvent[], added: readonly AlertEvent[]): AlertEvent[] {
  const shown = new Map<string, number>();
  for (const event of recorded) shown.set(contentOf(event), (shown.get(contentOf(event)) ?? 0) + 1);
  const there = new Set<AlertEvent>();
  for (const event of added) {
    const count = shown.get(contentOf(event)) ?? 0;
    shown.set(contentOf(event), count - 1);
    if (count > 0) there.add(event);
  }
  return mergedByTime([recorded, added]).filter((event) => !there.has(event));
}

function contentOf({ kind, body }: AlertEvent): string {
  return JSON.stringify([kind, body]);
}

function keyOf({ rule, subject }: { rule: string; subject: string }): string {
  return `${rule} ${subject}`;
}

function isAlertEvent(event: AlertEvent | LedgerEvent): event is AlertEvent {
  return event.kind.startsWith('alert.');
}

/** Those that are about alerts, in the same order. */
export function alertEventsIn(events: Iterable<AlertEvent | LedgerEvent>): AlertEvent[] {
  return [...events].filter(isAlertEvent);
}

type Change = {
  [Kind in 'alert.acknowledged' | 'alert.resolved' | 'alert.updated']: { kind: Kind; body: AlertEvents[Kind] };
}['alert.acknowledged' | 'alert.resolved' | 'alert.updated'];

function change(alert: BookedAlert, { kind, body }: Change, timeMs: number): void {
  if (kind === 'alert.resolved') alert.resolvedMs = timeMs;
  else if (kind === 'alert.acknowledged') {
    const { by, note: said } = body;
    alert.acknowledged ??= { by, timeMs, ...(said !== undefined && { note: said }) };
  } else if (alert.message !== body.message || alert.severity !== body.severity) {
    const { message, severity, since = alert.since, endangers = alert.endangers, command = alert.command } = body;
    Object.assign(alert, { message, severity, since, endangers, command });
    alert.changes++;
  }
}

function note(
  alert: BookedAlert | undefined,
  body: AlertEvents['alert.notified'],
  { index, timeMs }: { index: number; timeMs: number },
): void {
  if (alert === undefined) return;
  const { channel, news, reason, outcome, insteadOf } = body;
  const told = toldOf(alert, channel);
  for (const each of reasonsOf(reason)) {
    const refusal = refusalKey(news, each);
    if (outcome === 'delivered') told.refused.delete(refusal);
    else told.refused.set(refusal, { count: (told.refused.get(refusal)?.count ?? 0) + 1, timeMs });
    if (outcome === 'delivered' && news === 'raised') told.reasons.add(each);
  }
  if (outcome !== 'delivered') return;
  // It takes what it is told again: should it fail once more, another one is told once more.
  told.covered = false;
  if (insteadOf !== undefined) toldOf(alert, insteadOf).covered = true;
  if (news === 'resolved') told.resolved = true;
  else {
    // What came while the message was on its way is still to be told. Earlier versions did not record what it knew.
    const { changes, acknowledged } = body.knew?.[index] ?? standOf(alert);
    told.changes = Math.max(told.changes, changes);
    // Whoever is told of an alert that somebody sees to is told that, too. Who acknowledged may have a clock that is ahead, so
    // that it is dated later than what was told of it.
    told.acknowledged ||= acknowledged || news === 'acknowledged';
  }
}

/** What a message that is written now knows of an alert. */
export function standOf({ changes, acknowledged }: BookedAlert): AlertStand {
  return { changes, acknowledged: acknowledged !== undefined };
}

function toldOf({ told }: BookedAlert, channel: string): ChannelTold {
  const known = told.get(channel) ?? {
    ...{ reasons: new Set<string>(), changes: 0, acknowledged: false, resolved: false, covered: false },
    refused: new Map<string, { count: number; timeMs: number }>(),
  };
  told.set(channel, known);
  return known;
}

export function refusalKey(news: string, reason: string): string {
  return `${news} ${reason}`;
}

/** The mute that an alert is under at a moment, if it is. */
export function muteOf(
  { rule, subject }: Pick<BookedAlert, 'rule' | 'subject'>,
  mutes: readonly Mute[],
  nowMs: number,
): Mute | undefined {
  return mutesOf({ rule, subject }, mutes).findLast(({ fromMs, untilMs }) => fromMs <= nowMs && nowMs < untilMs);
}

function mutesOf({ rule, subject }: Pick<BookedAlert, 'rule' | 'subject'>, mutes: readonly Mute[]): Mute[] {
  return mutes.filter((each) => each.rule === rule && (each.subject === undefined || each.subject === subject));
}

/**
 * For how long of the time until a moment an alert has stood and was not muted. One that is recorded while somebody looks is of
 * a moment after that look, and has stood for nothing.
 */
export function heardMs(alert: BookedAlert, mutes: readonly Mute[], nowMs: number): number {
  let heard = Math.max(0, nowMs - alert.raisedMs);
  let countedMs = alert.raisedMs;
  for (const { fromMs, untilMs } of mutesOf(alert, mutes).toSorted((a, b) => a.fromMs - b.fromMs)) {
    const [begin, end] = [Math.max(fromMs, countedMs), Math.min(untilMs, nowMs)];
    if (end <= begin) continue;
    heard -= end - begin;
    countedMs = end;
  }
  return heard;
}
