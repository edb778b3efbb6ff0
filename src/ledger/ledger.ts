import type { Clock } from '../foundation/clock.ts';
import { isHoldfastError } from '../foundation/errors.ts';
import { awaitedLater, settled } from '../foundation/promises.ts';
import { adoptObjects } from './adopt.ts';
import { ChainCheck } from './chain-check.ts';
import { type ChainedEvents, ChainWriter, type NewEvent } from './chain-writer.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { EventBodies, EventKind, LedgerEvent } from './events.ts';
import { type Folded, foldDays } from './fold.ts';
import { encodeChainObject, parseLedgerKey, type ReadEvent } from './objects.ts';
import { inOrder } from './order.ts';
import type { Projection } from './projection.ts';
import { putChained } from './put-chained.ts';
import { type EventQuery, matches } from './query.ts';
import { isLarge, listLedger, readEach, readLedgerObject } from './read-objects.ts';
import type { LedgerStorage, StoredLedgerObject } from './storage.ts';
import type { Summary } from './summary.ts';
import { SummaryView } from './summary-view.ts';
import { unknownObjects } from './unknown-objects.ts';
import { type VerifiedLedger, verifyAndRead, verifyLedger } from './verify.ts';

/** As many other writers an event names. A writer that came before them is named by theirs. */
const NAMED_HEADS = 8;
/** What was recorded since they were looked for is named by a later event. */
const HEADS_FRESH_MS = 10_000;

/** The append-only record of what Holdfast did and saw. One object of this class writes one chain, unless a put fails. */
export class Ledger {
  readonly #storage: LedgerStorage;
  readonly #clock: Clock;
  readonly #projectionFile: string | undefined;
  readonly #bringWaiting: () => Promise<void>;
  #chain: ChainWriter;
  /** What was looked for ahead of the first event, and when. */
  #looked: { heads: Promise<Record<string, string>>; atMs: number } | undefined;
  readonly #views = new Map<string, SummaryView<unknown>>();
  /** Events are appended one after the other, whoever asks. */
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param projectionFile absolute: where this machine may keep what it has read of a large ledger
   * @param bringWaiting puts what waited while the repository was away, by `putChained`: called before each event
   */
  constructor(
    storage: LedgerStorage,
    clock: Clock,
    {
      projectionFile,
      bringWaiting = async () => {},
    }: { projectionFile?: string; bringWaiting?: () => Promise<void> } = {},
  ) {
    this.#storage = storage;
    this.#projectionFile = projectionFile;
    this.#bringWaiting = bringWaiting;
    this.#clock = clock;
    this.#chain = new ChainWriter(clock);
  }

  /**
   * Looks ahead for what the next event is to name, where it begins a chain: from afar that takes two round trips. For who
   * appends it in a moment: after some seconds it is looked for again.
   */
  expectEvent(): void {
    if (!this.#chain.isNew) return;
    this.#looked = { heads: awaitedLater(this.newestHeads()), atMs: this.#clock.monotonicMs() };
  }

  /** Records an event; resolves once it is durable. */
  append<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]): Promise<void> {
    return this.appendAll([{ kind, body } as NewEvent]);
  }

  /** Records events that belong together, as one object: all of them, or none. Resolves once they are durable. */
  async appendAll(events: readonly NewEvent[]): Promise<void> {
    if (events.length === 0) return;
    await this.#bringWaiting();
    await this.#inTurn(async () => {
      const chained = this.#chain.add(events, this.#chain.isNew ? await this.#expectedHeads() : {});
      try {
        await this.#put(chained);
      } catch (error) {
        // Whether the event is there nobody knows, so that nothing can follow it: what comes next begins a new chain.
        this.#chain = new ChainWriter(this.#clock);
        throw error;
      }
    });
  }

  /**
   * Puts events that a chain of its own has, and that may be there already: what is there of them is not put again.
   * Events that follow one another must be given in their order.
   * @param isNew that nobody can have tried to put them before
   * @throws repository-damaged when something else lies in their place
   */
  putChained(chained: ChainedEvents, isNew = false): Promise<void> {
    return this.#inTurn(() => putChained(this.#storage, chained, isNew));
  }

  #expectedHeads(): Promise<Record<string, string>> {
    const looked = this.#looked;
    this.#looked = undefined;
    const isFresh = looked !== undefined && this.#clock.monotonicMs() - looked.atMs < HEADS_FRESH_MS;
    return isFresh ? looked.heads : this.newestHeads();
  }

  /** Events of others that a new chain is to name. */
  async newestHeads(): Promise<Record<string, string>> {
    const newest = new Map<string, StoredLedgerObject & { sequence: number }>();
    for (const entry of await listLedger(this.#storage)) {
      const place = parseLedgerKey(entry.key);
      if (place?.form !== 'chain') continue;
      if ((newest.get(place.writer)?.sequence ?? -1) < place.sequence) {
        newest.set(place.writer, { ...entry, sequence: place.sequence });
      }
    }
    const heads = [...newest].sort(([, a], [, b]) => b.modifiedMs - a.modifiedMs).slice(0, NAMED_HEADS);
    const read = await Promise.all(
      heads.map(async ([writer, { key }]) => {
        const events = await this.#unlessFolded(key);
        return events === undefined ? [] : [[writer, events.at(-1)!.hash] as const];
      }),
    );
    return Object.fromEntries(read.flat());
  }

  /** What was listed may have been taken together with others since: then it is named by whoever did that. */
  async #unlessFolded(key: string): Promise<ReadEvent[] | undefined> {
    try {
      return await readLedgerObject(this.#storage, key);
    } catch (error) {
      if (!isHoldfastError(error, 'object-missing')) throw error;
      return undefined;
    }
  }

  /**
   * All events, oldest first, each authenticated, its chain checked, and that every event which another one names is there.
   * @throws repository-damaged when an event is damaged, was moved, or is missing
   */
  async read(): Promise<LedgerEvent[]> {
    const events = await this.#readChecked().catch((error: unknown) => {
      if (!isHoldfastError(error, 'repository-damaged') && !isHoldfastError(error, 'object-missing')) throw error;
      // A listing is not one moment: it may hold an event that was added meanwhile, and not the one that this builds on.
      return this.#readChecked();
    });
    return inOrder(events);
  }

  /**
   * Those events that are asked for, oldest first: of a large ledger by what this machine keeps of it, where that is.
   * @throws as `read`
   */
  async events(query: EventQuery): Promise<LedgerEvent[]> {
    const listed = this.#projectionFile === undefined ? [] : await listLedger(this.#storage);
    const projected = isLarge(listed) ? await this.#projected(query, listed) : undefined;
    if (projected !== undefined) return projected;
    const events = (await this.read()).filter((event) => matches(event, query));
    return query.limit === undefined ? events : events.slice(Math.max(0, events.length - query.limit));
  }

  /** Undefined where the file cannot be used, or does not fit what is listed: then all is read. */
  async #projected(query: EventQuery, listed: readonly StoredLedgerObject[]): Promise<LedgerEvent[] | undefined> {
    const { Projection } = await import('./projection.ts');
    const file = this.#projectionFile!;
    let projection: Projection | undefined;
    try {
      projection = await Projection.open(this.#storage, file);
      await projection.refresh(listed);
      return projection.query(query);
    } catch (error) {
      if (isHoldfastError(error, 'repository-unsupported') || isHoldfastError(error, 'store-unreachable')) throw error;
      // What is kept may be wrong, and what is listed not of one moment. The objects decide.
      projection?.close();
      projection = undefined;
      await settled(Projection.remove(file));
      return undefined;
    } finally {
      projection?.close();
    }
  }

  /** What all events come to, for who asks again and again: see `SummaryView`. */
  view<State>(summary: Summary<State>): SummaryView<State> {
    const known = this.#views.get(summary.name) as SummaryView<State> | undefined;
    if (known !== undefined) return known;
    const kept = summary.isOfThisProcess === true ? undefined : this.#projectionFile;
    const file = kept?.replace(/(\.sqlite)?$/, `-${summary.name}`);
    const assertWhole = async () => void (await this.read());
    const view = new SummaryView(this.#storage, summary, { file, assertWhole });
    this.#views.set(summary.name, view as SummaryView<unknown>);
    return view;
  }

  async #readChecked(): Promise<ReadEvent[]> {
    const stored = await listLedger(this.#storage);
    const check = new ChainCheck();
    const events: ReadEvent[] = [];
    const gone = await readEach(
      this.#storage,
      stored.map(({ key }) => key),
      (_key, read) => events.push(...read.filter((each) => check.add(each))),
    );
    // A listing may still show what was taken together with others, where it lies now.
    for (const { key, error } of gone) {
      const place = parseLedgerKey(key);
      if (place?.form !== 'chain' || !check.has(place.writer, place.sequence)) throw error;
    }
    check.assertWhole();
    return events;
  }

  /**
   * The keys of objects that are not among these, each behind those that it builds on: whoever copies them in this order has
   * at every instant a ledger that can be read. What builds on something that cannot be seen yet is left for later.
   * @param listed the keys of what is to be copied, where they were just listed; all, when left out
   * @throws repository-damaged
   */
  unknownTo(known: ReadonlySet<string>, listed?: readonly string[]): Promise<string[]> {
    return unknownObjects(this.#storage, known, listed);
  }

  /**
   * Takes over what only another copy of this ledger has: what was recorded there while this one was away.
   * @returns how many objects came
   * @throws repository-damaged; the stores' errors
   */
  adopt(other: Ledger): Promise<number> {
    return this.#inTurn(() =>
      adoptObjects({
        storage: this.#storage,
        read: () => this.#readChecked(),
        unknownTo: (known) => other.unknownTo(known),
        other: other.#storage,
      }),
    );
  }

  /**
   * Puts the events of days that are over (UTC) together, into an object for each day. Killed at any instant, the ledger
   * reads the same, and the next run goes on.
   * @throws repository-damaged when an event cannot be read; the store's errors
   */
  fold(): Promise<Folded> {
    return foldDays(this.#storage, {
      nowMs: this.#clock.nowMs(),
      announce: (body) => this.append('ledger.folded', body),
    });
  }

  /** See `verifyLedger`. */
  verify(checkpoint?: Checkpoint): Promise<VerifiedLedger> {
    return verifyLedger(this.#storage, checkpoint);
  }

  /** See `verifyAndRead`: for who reports on what there is, whatever is wrong with it. */
  verifyAndRead(checkpoint?: Checkpoint): Promise<{ verified: VerifiedLedger; events: LedgerEvent[] }> {
    return verifyAndRead(this.#storage, checkpoint);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = settled(turn);
    return turn;
  }

  async #put({ key, plains }: ChainedEvents): Promise<void> {
    await this.#storage.putNew(key, this.#storage.seal(encodeChainObject(plains)));
  }
}
