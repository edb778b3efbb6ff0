import { isHoldfastError } from '../../../foundation/errors.ts';
import { mergedByTime } from '../../../ledger/index.ts';
import type { Workspace } from '../../workspace.ts';
import { type AlertEvent, alertEventsIn, withoutOld } from '../book.ts';
import { type Digest, recordOf } from './digest.ts';
import type { Facts, RecordFacts } from './facts.ts';
import { RepositoryView } from './repository-view.ts';
import type { RecoveryForecast, Samples } from './samples.ts';

/** What is in repositories changes by what is done there, which is told; and by others, who are looked after this often. */
const STORES_EVERY_MS = 60_000;

/** Of alerts that were over so long ago nothing is remembered: longer than this process remembers what it has added itself. */
const ALERTS_KEPT_MS = 40 * 24 * 60 * 60_000;

/** What others know of the living and of what is to come. */
export interface Watched {
  /** Undefined as long as nobody has begun to watch. */
  samples?(): Samples | undefined;
  forecasts?(): readonly RecoveryForecast[];
  /** Whether a process runs the steps of an incident; undefined where that cannot be told. */
  isRun?(incident: string): Promise<boolean | undefined>;
}

/** Gathers the facts that rules go by, and keeps what has not changed. */
export class FactsGatherer {
  readonly #workspace: Workspace;
  readonly #watched: Watched;
  readonly #views: RepositoryView[];
  readonly #sinceMs: number;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** By incident: since when nobody was seen to run it. */
  #leftAlone: ReadonlyMap<string, number> = new Map();
  /** Of alerts, what waits in the journal of this machine: somebody may see to one while its ledger is away. */
  #waiting: readonly AlertEvent[] = [];
  /** What came of the digests that it was made of. */
  #recorded: { of: (Digest | undefined)[]; record: RecordFacts; alertEvents: AlertEvent[] } | undefined;

  constructor(workspace: Workspace, watched: Watched) {
    this.#workspace = workspace;
    this.#watched = watched;
    this.#sinceMs = workspace.environment.clock.nowMs();
    this.#views = workspace.homeNames.map((name) => new RepositoryView(workspace, name));
  }

  /**
   * What is known now. A repository that cannot be had is a fact as well.
   * @param fresh whether something was done in a repository, so that all are looked at in any case
   * @param isAwaiting whether somebody may have told the ledger something meanwhile
   * @throws the reason of the signal
   */
  async gather({ fresh, isAwaiting }: { fresh: boolean; isAwaiting: boolean }): Promise<Facts> {
    const { plan, environment } = this.#workspace;
    const nowMs = environment.clock.nowMs();
    // Before the ledgers: what goes there meanwhile is seen in one of both.
    this.#waiting = await this.#journalled();
    // A clock that was set back must not put the next look off.
    const elapsedMs = Math.abs(nowMs - this.#lookedMs);
    if (fresh || elapsedMs >= STORES_EVERY_MS) {
      await Promise.all(this.#views.map((view) => view.look()));
      this.#lookedMs = nowMs;
    } else if (isAwaiting) await Promise.all(this.#views.map((view) => view.lookAtLedger()));
    const record = this.#record();
    if (this.#lookedMs === nowMs) await this.#lookAfter(record, nowMs);
    const { forecasts } = this.#watched;
    const samples = this.#watched.samples?.();
    return {
      ...{ nowMs, sinceMs: this.#sinceMs, plan },
      sources: this.#views.flatMap((view) => view.sourceFacts(nowMs)),
      repositories: this.#views.map((view) => view.facts()),
      mirrors: this.#views.flatMap((view) => view.mirrorFacts(nowMs)),
      archives: this.#views.flatMap((view) => view.archiveFacts(nowMs)),
      ...{ record, leftAlone: this.#leftAlone },
      ...(samples && { samples }),
      forecasts: forecasts?.() ?? [],
    };
  }

  /** What cannot be told now is as it was. */
  async #lookAfter({ recoveries }: RecordFacts, nowMs: number): Promise<void> {
    const leftAlone = new Map<string, number>();
    for (const { incident } of recoveries.open) {
      const isRun = await this.#watched.isRun?.(incident).catch((error: unknown) => {
        if (!isHoldfastError(error)) throw error;
        return undefined;
      });
      const beforeMs = this.#leftAlone.get(incident);
      if (isRun === false || (isRun === undefined && beforeMs !== undefined))
        leftAlone.set(incident, beforeMs ?? nowMs);
    }
    this.#leftAlone = leftAlone;
  }

  #record(): RecordFacts {
    const digests = this.#views.map(({ digest }) => digest);
    if (this.#recorded?.of.every((each, index) => each === digests[index])) return this.#recorded.record;
    const read = digests.flatMap((each) => each ?? []);
    const began = read.flatMap(({ beganMs }) => beganMs ?? []);
    const record = recordOf(mergedByTime(read.map((each) => each.record)), {
      isKnown: !digests.includes(undefined),
      ...(began.length > 0 && { beganMs: Math.min(...began) }),
    });
    const alertEvents = mergedByTime(digests.map((digest) => alertEventsIn(digest?.record ?? [])));
    const overSinceMs = this.#workspace.environment.clock.nowMs() - ALERTS_KEPT_MS;
    this.#recorded = { of: digests, record, alertEvents: withoutOld(alertEvents, overSinceMs) };
    return record;
  }

  /** What cannot be read of the journal, who brings it to the ledger says. */
  async #journalled(): Promise<readonly AlertEvent[]> {
    try {
      return alertEventsIn(await this.#workspace.recorder().waiting());
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return this.#waiting;
    }
  }

  /**
   * What the ledgers say of alerts, as of the last look, but for what was over long ago, and what waits for them: each once,
   * oldest first.
   */
  alertEvents(): readonly AlertEvent[] {
    const recorded = this.#recorded?.alertEvents ?? [];
    if (this.#waiting.length === 0) return recorded;
    const there = new Set(recorded.map(identityOf));
    return mergedByTime([recorded, this.#waiting.filter((event) => !there.has(identityOf(event)))]);
  }
}

function identityOf({ kind, body, time }: AlertEvent): string {
  return JSON.stringify([kind, body, time]);
}
