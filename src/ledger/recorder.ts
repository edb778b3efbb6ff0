import type { Clock } from '../foundation/clock.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../foundation/errors.ts';
import { settled } from '../foundation/promises.ts';
import { type ChainedEvents, ChainWriter, type NewEvent } from './chain-writer.ts';
import type { EventBodies, EventKind, LedgerEvent } from './events.ts';
import type { Journal, Waiting } from './journal.ts';
import type { Ledger } from './ledger.ts';
import { mergedByTime } from './merge.ts';

/** A repository that was away is not asked again for so long: what is recorded meanwhile waits without delay. */
const AWAY_MS = 30_000;

/** A repository that events may go to. */
export interface RecorderHome {
  name: string;
  /** @throws what keeps it from being written to */
  open(): Promise<{ ledger: Ledger; conditionalPut: boolean }>;
  /** Where events for it wait; undefined where this user has no place for them. */
  journal?: Journal;
}

/** Where an event went. */
export interface Recorded {
  writer: string;
  sequence: number;
  /** The repository whose ledger has it, or will have it. */
  repository: string;
  where: 'repository' | 'journal';
  /** Why it waits in the journal. */
  because?: HoldfastError;
}

export interface Flushed {
  /** How many events went to where they belong, and how many wait still. */
  flushed: number;
  waiting: number;
  /** Why they wait. */
  errors: HoldfastError[];
}

interface Place extends RecorderHome {
  chain: ChainWriter;
  /** By the monotonic clock. */
  awayUntilMs: number;
  error?: HoldfastError;
}

/**
 * Records events that must not be lost: in the ledger of the first repository that takes them, or, while none does, in a
 * journal of this machine, from which they go to the repository with the next event or with `flush`. An event is the same
 * in both, with its own place in its own chain: whatever was tried before, it is there once.
 */
export class Recorder {
  readonly #clock: Clock;
  readonly #places: Place[];
  #turn: Promise<unknown> = Promise.resolve();

  /** @param homes at least one, the one that is meant first */
  constructor(homes: readonly RecorderHome[], clock: Clock) {
    this.#clock = clock;
    this.#places = homes.map((home) => ({
      ...home,
      chain: new ChainWriter(clock),
      awayUntilMs: Number.NEGATIVE_INFINITY,
    }));
  }

  /**
   * Records an event. Resolves once it is durable, and says where.
   * @param by who it was; who runs this process, when left out
   * @throws what kept it from the repositories, where it could not be journalled either
   */
  record<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind], by?: string): Promise<Recorded> {
    return this.recordAll([{ kind, body } as NewEvent], by);
  }

  /** The same of several that belong together. @returns where the first of them went, and with it the others */
  recordAll(events: readonly NewEvent[], by?: string): Promise<Recorded> {
    return this.#inTurn(() => this.#recordAll(events, by));
  }

  /**
   * Brings what waits to where it belongs, whoever of this plan and user recorded it.
   * @param takes which chains; all, when left out
   */
  flush(takes: (chain: Waiting) => boolean = () => true): Promise<Flushed> {
    return this.#inTurn(async () => {
      const result: Flushed = { flushed: 0, waiting: 0, errors: [] };
      for (const place of this.#places) {
        const all = (await place.journal?.waiting()) ?? [];
        if (all.length === 0) continue;
        const chains = all.filter(takes);
        const errors = await this.#flushPlace(place, chains).catch((error: unknown) => [this.#away(place, error)]);
        const left = (await place.journal?.waiting()) ?? [];
        result.flushed += countOf(all) - countOf(left);
        result.waiting += countOf(left);
        result.errors.push(...errors);
      }
      return result;
    });
  }

  /** What waits in the journals, oldest first. @throws repository-damaged when some of it cannot be read */
  async waiting(): Promise<LedgerEvent[]> {
    const chains = (await Promise.all(this.#places.map(({ journal }) => journal?.waiting() ?? []))).flat();
    for (const { error } of chains) if (error !== undefined) throw error;
    return mergedByTime(chains.map((chain) => chain.events.map(({ event }) => event)));
  }

  async #recordAll(events: readonly NewEvent[], by: string | undefined): Promise<Recorded> {
    for (const place of this.#places) {
      // Where nothing can wait, each event is tried.
      if (place.journal !== undefined && place.awayUntilMs > this.#clock.monotonicMs()) continue;
      const ready = await this.#ready(place).catch((error: unknown) => void this.#away(place, error));
      if (ready === undefined) continue;
      const chained = place.chain.add(events, ready.heads, by);
      try {
        await ready.ledger.putChained(chained, true);
        return recorded(place, chained, 'repository');
      } catch (error) {
        // It may be there: it waits as what it is, and not as another event.
        this.#away(place, error);
        return this.#journal(place, chained);
      }
    }
    const [first] = this.#places;
    if (first === undefined) throw new HoldfastError('internal', 'there is no repository to record events in');
    return this.#journal(first, first.chain.add(events, {}, by));
  }

  /** A repository that takes events, with what waited for it put there first. */
  async #ready(place: Place): Promise<{ ledger: Ledger; heads: Record<string, string> }> {
    const chains = (await place.journal?.waiting()) ?? [];
    const { ledger } = await place.open();
    const errors = chains.length === 0 ? [] : await this.#flushPlace(place, chains);
    const own = await place.journal?.waiting();
    const isOwnLeft = own?.some(({ writer }) => writer === place.chain.writer) ?? false;
    if (isOwnLeft) throw errors[0] ?? new HoldfastError('internal', 'events wait that nothing keeps from being put');
    return { ledger, heads: place.chain.isNew ? await ledger.newestHeads() : {} };
  }

  /** @returns what kept some of them from being put: other chains go on */
  async #flushPlace(place: Place, chains: readonly Waiting[]): Promise<HoldfastError[]> {
    const { ledger, conditionalPut } = await place.open();
    const errors: HoldfastError[] = [];
    for (const { writer, events, error } of chains) {
      if (error !== undefined) errors.push(error);
      try {
        // Where nothing decides a race, two who put the same must put the same objects.
        for (const part of runs(events, conditionalPut ? AT_ONCE : 1)) {
          const sequence = part[0]!.event.sequence;
          await ledger.putChained({ key: '', writer, sequence, plains: part.map(({ plain }) => plain) });
          await place.journal!.remove(part);
        }
      } catch (caught) {
        errors.push(asError(caught));
      }
    }
    return errors;
  }

  async #journal(place: Place, chained: ChainedEvents): Promise<Recorded> {
    const because = place.error;
    try {
      if (place.journal === undefined)
        throw because ?? new HoldfastError('internal', 'nothing kept the event from being put');
      await place.journal.add(chained);
    } catch (error) {
      // What was not kept must not be built on.
      place.chain = new ChainWriter(this.#clock);
      if (because === undefined || error === because) throw error;
      throw new HoldfastError(
        because.code,
        `${because.message}; and the event could not be kept: ${messageOf(error)}`,
        {
          ...(because.hint !== undefined && { hint: because.hint }),
          context: because.context,
          cause: error,
        },
      );
    }
    return { ...recorded(place, chained, 'journal'), ...(because && { because }) };
  }

  #away(place: Place, error: unknown): HoldfastError {
    place.error = asError(error);
    place.awayUntilMs = this.#clock.monotonicMs() + AWAY_MS;
    return place.error;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = settled(turn);
    return turn;
  }
}

/** So many events become one object. */
const AT_ONCE = 500;

/** Events that follow one another without a gap, so many at most. */
function runs(events: Waiting['events'], atMost: number): Waiting['events'][] {
  const parts: Waiting['events'][] = [];
  for (const each of events) {
    const last = parts.at(-1);
    const isNext = last?.at(-1)?.event.sequence === each.event.sequence - 1;
    if (last !== undefined && isNext && last.length < atMost) last.push(each);
    else parts.push([each]);
  }
  return parts;
}

function recorded({ name }: Place, { writer, sequence }: ChainedEvents, where: Recorded['where']): Recorded {
  return { writer, sequence, repository: name, where };
}

function countOf(chains: readonly Waiting[]): number {
  return chains.reduce((sum, { events }) => sum + events.length, 0);
}

function asError(error: unknown): HoldfastError {
  return isHoldfastError(error) ? error : new HoldfastError('internal', messageOf(error), { cause: error });
}
