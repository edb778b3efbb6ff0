import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { awaitedLater } from '../../foundation/promises.ts';
import type { EventBodies, EventKind, LedgerEvent, NewEvent } from '../../ledger/index.ts';
import { reportable, type Workspace } from '../../operations/index.ts';
import { isRunEvent, type RunEvent, runEventsSummary, runOf } from './run-events.ts';

/** A place that was away is not asked again for so long. */
const AWAY_MS = 30_000;

type Opened = Awaited<ReturnType<Workspace['openToRead']>>;

/** A mirror that lacks what was recorded, and why. */
export interface Unmirrored {
  mirror: string;
  error: HoldfastError;
}

/** For a person. */
export function unmirroredText({ mirror, error }: Unmirrored): string {
  return `the mirror ${mirror} lacks what was recorded last (${error.message}): \`holdfast replicate ${mirror}\` brings it there`;
}

interface Place {
  name: string;
  isMirror: boolean;
  awayUntilMs: number;
  error?: HoldfastError;
}

/**
 * What incidents and drills record, and what is known of them: in the ledger of the plan's first repository; while that is
 * away in one of its mirrors; while those are away too, in the journal of this machine. What went to a mirror comes to the
 * repository as soon as that is back.
 */
export class RunRecord {
  readonly #workspace: Workspace;
  readonly #places: Place[];
  readonly #home: string;
  /** Mirrors may have what the repository does not: this process put it there, or it has not looked yet. */
  #isAstray = true;
  /** What this process recorded in the repository, and its mirrors may not have yet. */
  #unmirrored: NewEvent[] = [];
  #mirroring: Promise<void> | undefined;
  /** Why the newest did not come to a mirror, by its name. */
  readonly #unmirroredBy = new Map<string, HoldfastError>();

  constructor(workspace: Workspace) {
    const [home] = workspace.homeNames;
    if (home === undefined) throw new HoldfastError('internal', 'the plan has no repository to record incidents in');
    this.#workspace = workspace;
    this.#home = home;
    const names = [home, ...workspace.mirrorsOf(home)];
    this.#places = names.map((name, index) => ({ name, isMirror: index > 0, awayUntilMs: Number.NEGATIVE_INFINITY }));
  }

  /** Resolves once the event is durable. @throws what kept it from every place */
  append<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]): Promise<void> {
    return this.appendAll([{ kind, body } as NewEvent]);
  }

  /** The same of several that belong together: all of them, or none. */
  async appendAll(events: readonly NewEvent[]): Promise<void> {
    for (const place of this.#places) {
      // What the repository alone has is out of reach with it: what is there twice counts once.
      const recorded = place.isMirror ? [...this.#unmirrored, ...events] : events;
      const isDone = await this.#at(place, ({ ledger }) => ledger.appendAll(recorded).then(() => true));
      if (isDone !== true) continue;
      if (place.isMirror) {
        this.#isAstray = true;
        this.#unmirrored = [];
      } else if (this.#places.length > 1) this.#mirror(events);
      return;
    }
    await this.#workspace.recorder(this.#home).recordAll(events);
  }

  /**
   * All events of incidents and drills, oldest first, from every copy that can be reached, and what waits on this machine.
   * @throws what kept it from all copies
   */
  async read(): Promise<RunEvent[]> {
    await this.#bringBack();
    const read: LedgerEvent[][] = [];
    for (const place of this.#places) {
      const view = await this.#at(place, ({ ledger }) => ledger.view(runEventsSummary).read());
      if (view === undefined) continue;
      // It changes with the next reading.
      read.push([...view.state]);
      // Nothing that the repository itself lacks is in its mirrors then.
      if (!place.isMirror && !this.#isAstray) break;
    }
    if (read.length === 0) throw this.#places[0]!.error ?? new HoldfastError('internal', 'no ledger could be read');
    read.push(await this.#workspace.recorder(this.#home).waiting());
    return union(read);
  }

  /** The events of one run: see `read`. */
  async readRun(id: string): Promise<RunEvent[]> {
    return (await this.read()).filter((event) => runOf(event) === id);
  }

  /** The copies that can be reached, the repository first: where races are decided and leases lie. */
  async *inReach(): AsyncIterable<Opened> {
    for (const place of this.#places) {
      const opened = await this.#at(place, async (each) => {
        // What was opened before may be away by now.
        await each.repository.store.stat('config');
        return each;
      });
      if (opened !== undefined) yield opened;
    }
  }

  /** The first of them. @throws what kept it from all */
  async firstInReach(): Promise<Opened> {
    for await (const opened of this.inReach()) return opened;
    throw this.#places[0]!.error ?? new HoldfastError('internal', 'no repository could be opened');
  }

  /** Why the plan's first repository is not used at the moment; undefined where it is. */
  get homeError(): HoldfastError | undefined {
    return this.#isAway(this.#places[0]!) ? this.#places[0]!.error : undefined;
  }

  /** Mirrors that are not used at the moment, and why. */
  get mirrorErrors(): Unmirrored[] {
    return this.#places.flatMap((place) =>
      place.isMirror && place.error !== undefined && this.#isAway(place)
        ? [{ mirror: place.name, error: place.error }]
        : [],
    );
  }

  /**
   * Waits until the mirrors that can be reached have what was recorded.
   * @returns those that have not
   * @throws what is a defect
   */
  async mirrored(): Promise<Unmirrored[]> {
    while (this.#mirroring !== undefined) await this.#mirroring;
    return [...this.#unmirroredBy].map(([mirror, error]) => ({ mirror, error }));
  }

  /** Has the mirrors follow, while the recovery goes on. */
  #mirror(events: readonly NewEvent[]): void {
    this.#unmirrored.push(...events);
    if (this.#mirroring !== undefined) return;
    const mirroring = this.#followOnce().finally(() => {
      this.#mirroring = undefined;
    });
    this.#mirroring = awaitedLater(mirroring);
  }

  async #followOnce(): Promise<void> {
    const [home, ...mirrors] = this.#places as [Place, ...Place[]];
    let count = -1;
    // What was recorded meanwhile goes with the next round.
    while (this.#unmirrored.length > 0 && this.#unmirrored.length !== count) {
      count = this.#unmirrored.length;
      const errors = await Promise.all(mirrors.map((mirror) => this.#adopt(mirror, home)));
      for (const [index, error] of errors.entries()) {
        if (error === undefined) this.#unmirroredBy.delete(mirrors[index]!.name);
        else this.#unmirroredBy.set(mirrors[index]!.name, error);
      }
      if (!errors.includes(undefined)) return;
      this.#unmirrored = this.#unmirrored.slice(count);
      count = -1;
    }
  }

  async #bringBack(): Promise<void> {
    const [home, ...mirrors] = this.#places as [Place, ...Place[]];
    if (!this.#isAstray || this.#isAway(home)) return;
    let isWhole = true;
    for (const mirror of mirrors) {
      // A mirror that is away may have something: it is looked at again.
      if ((await this.#adopt(home, mirror)) !== undefined) isWhole = false;
    }
    if (isWhole) this.#isAstray = false;
  }

  /**
   * Brings to one copy what another one has.
   * @returns why it could not be; where one of the two is away, that is not asked for a while
   * @throws what is a defect
   */
  async #adopt(into: Place, from: Place): Promise<HoldfastError | undefined> {
    const away = [into, from].find((place) => this.#isAway(place));
    if (away?.error !== undefined) return away.error;
    try {
      const source = await this.#workspace.openToRead(from.name);
      const target = await this.#workspace.openToRead(into.name);
      await target.ledger.adopt(source.ledger);
      return undefined;
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      // Which of the two is away, if one is: what a copy refuses while it is there is no reason to leave it alone.
      for (const place of [into, from]) await this.#at(place, ({ repository }) => repository.store.stat('config'));
      return error;
    }
  }

  #isAway({ awayUntilMs }: Place): boolean {
    return awayUntilMs > this.#workspace.environment.clock.nowMs();
  }

  /** @returns undefined where the place is away, was away a moment ago, or what was done there failed */
  async #at<Result>(place: Place, work: (opened: Opened) => Promise<Result>): Promise<Result | undefined> {
    if (this.#isAway(place)) return undefined;
    const { clock, signal } = this.#workspace.environment;
    try {
      const result = await work(await this.#workspace.openToRead(place.name));
      delete place.error;
      return result;
    } catch (error) {
      place.error = reportable(error, signal.aborted ? new AbortController().signal : signal);
      place.awayUntilMs = clock.nowMs() + AWAY_MS;
      return undefined;
    }
  }
}

/** What several copies say, each event once, oldest first. Events of one writer stay in their order. */
function union(copies: readonly (readonly LedgerEvent[])[]): RunEvent[] {
  const known = new Map<string, LedgerEvent & RunEvent>();
  for (const event of copies.flat()) {
    const key = `${event.writer}/${event.sequence}`;
    if (isRunEvent(event) && !known.has(key)) known.set(key, event);
  }
  return [...known.values()].sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}
