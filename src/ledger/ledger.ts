import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError, isHoldfastError, messageOf } from '../foundation/errors.ts';
import { settled } from '../foundation/promises.ts';
import { currentUser } from '../foundation/user.ts';
import type { EventBodies, EventEnvelope, EventKind, LedgerEvent } from './events.ts';

/** Where events lie, and the key that seals them: what the ledger needs of a repository. Keys are relative to the ledger. */
export interface LedgerStorage {
  seal(plain: Uint8Array): Uint8Array;
  /** @throws repository-damaged */
  unseal(sealed: Uint8Array): Uint8Array;
  /** @throws object-exists */
  putNew(key: string, sealed: Uint8Array): Promise<void>;
  get(key: string): Promise<Uint8Array>;
  list(): AsyncIterable<{ key: string; modifiedMs: number }>;
}

/** As many other writers an event names. A writer that came before them is named by theirs. */
const NAMED_HEADS = 8;
const SEQUENCE_DIGITS = 10;
const KEY = /^([0-9a-f]{32})\/([0-9]{10})$/;

interface ReadEvent {
  event: LedgerEvent;
  hash: string;
}

interface StoredEvent {
  key: string;
  writer: string;
  sequence: number;
  modifiedMs: number;
}

/** The append-only record of what Holdfast did and saw. One object of this class writes one chain, unless a put fails. */
export class Ledger {
  readonly #storage: LedgerStorage;
  readonly #clock: Clock;
  #writer = newWriter();
  #sequence = 0;
  #previous: string | null = null;
  /** Events are appended one after the other, whoever asks. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(storage: LedgerStorage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Records an event; resolves once it is durable. */
  append<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]): Promise<void> {
    const turn = this.#turn.then(() => this.#append(kind, body));
    this.#turn = settled(turn);
    return turn;
  }

  /**
   * All events, oldest first, each authenticated, its chain checked, and that every event which another one names is there.
   * @throws repository-damaged when an event is damaged, was moved, or is missing
   */
  async read(): Promise<LedgerEvent[]> {
    const events = await this.#readChecked().catch((error: unknown) => {
      if (!isHoldfastError(error, 'repository-damaged')) throw error;
      // A listing is not one moment: it may hold an event that was added meanwhile, and not the one that this builds on.
      return this.#readChecked();
    });
    return inOrder(events);
  }

  /**
   * The keys of events that are not among these, each behind those that it builds on: whoever copies them in this order has
   * at every instant a ledger that can be read. What builds on something that cannot be seen yet is left for later.
   * @throws repository-damaged
   */
  async unknownTo(known: ReadonlySet<string>): Promise<string[]> {
    const visible = await this.#list();
    // What an event builds on was there before it: a listing that begins now has it, whatever the first one passed over.
    const all = new Map([...visible, ...(await this.#list())].map((entry) => [entry.key, entry]));
    const unknown = [...all.values()].filter(({ key }) => !known.has(key));
    const fresh = await Promise.all(unknown.map(async (entry) => [entry.key, await this.#readEvent(entry)] as const));
    return inCopyingOrder(
      new Map(fresh),
      known,
      visible.map(({ key }) => key),
    );
  }

  async #readChecked(): Promise<ReadEvent[]> {
    const stored = await this.#list();
    const events = await Promise.all(stored.map((entry) => this.#readEvent(entry)));
    assertChains(events);
    return events;
  }

  async #append<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]): Promise<void> {
    const envelope: EventEnvelope = {
      version: 1,
      writer: this.#writer,
      sequence: this.#sequence,
      previous: this.#previous,
      heads: this.#sequence === 0 ? await this.#headsOfOthers() : {},
      time: new Date(this.#clock.nowMs()).toISOString(),
      actor: `${currentUser().username}@${hostname()}`,
    };
    const plain = Buffer.from(JSON.stringify({ ...envelope, kind, body }));
    const key = eventKey(this.#writer, this.#sequence);
    try {
      await this.#storage.putNew(key, this.#storage.seal(plain));
    } catch (error) {
      // Whether the event is there nobody knows, so that nothing can follow it: what comes next begins a new chain.
      this.#writer = newWriter();
      this.#sequence = 0;
      this.#previous = null;
      throw error;
    }
    this.#previous = sha256(plain);
    this.#sequence++;
  }

  async #headsOfOthers(): Promise<Record<string, string>> {
    const newest = new Map<string, StoredEvent>();
    for (const entry of await this.#list()) {
      if ((newest.get(entry.writer)?.sequence ?? -1) < entry.sequence) newest.set(entry.writer, entry);
    }
    const heads = [...newest.values()].sort((a, b) => b.modifiedMs - a.modifiedMs).slice(0, NAMED_HEADS);
    return Object.fromEntries(
      await Promise.all(heads.map(async (head) => [head.writer, (await this.#readEvent(head)).hash])),
    );
  }

  async #list(): Promise<StoredEvent[]> {
    const stored: StoredEvent[] = [];
    for await (const { key, modifiedMs } of this.#storage.list()) {
      const [, writer, sequence] = KEY.exec(key) ?? [];
      if (writer !== undefined) stored.push({ key, writer, sequence: Number(sequence), modifiedMs });
    }
    return stored;
  }

  async #readEvent({ key, writer, sequence }: StoredEvent): Promise<ReadEvent> {
    const plain = await this.#unseal(key);
    let event: LedgerEvent;
    try {
      event = JSON.parse(Buffer.from(plain).toString('utf8')) as LedgerEvent;
    } catch (cause) {
      throw new HoldfastError('repository-damaged', `the ledger's event ${key} is not JSON: ${messageOf(cause)}`, {
        cause,
      });
    }
    const { version, kind, time, heads } = event ?? {};
    const isWhole = typeof kind === 'string' && typeof time === 'string' && typeof heads === 'object' && heads !== null;
    if (typeof version !== 'number' || (version === 1 && !isWhole)) {
      throw new HoldfastError('repository-damaged', `the ledger's event ${key} is malformed`);
    }
    if (version > 1) {
      throw new HoldfastError(
        'repository-unsupported',
        `the ledger's event ${key} has the unknown version ${version}`,
        {
          hint: 'Use the version of Holdfast that wrote it, or a newer one.',
        },
      );
    }
    if (event.writer !== writer || event.sequence !== sequence) {
      throw new HoldfastError('repository-damaged', `the ledger's event ${key} was moved from another place`);
    }
    return { event, hash: sha256(plain) };
  }

  async #unseal(key: string): Promise<Uint8Array> {
    const sealed = await this.#storage.get(key);
    try {
      return this.#storage.unseal(sealed);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      throw new HoldfastError(error.code, `the ledger's event ${key}: ${error.message}`, { cause: error });
    }
  }
}

/** Oldest first by their times, but never before what an event builds on: a clock may have been set back. */
function inOrder(events: readonly ReadEvent[]): LedgerEvent[] {
  const byHash = new Map(events.map((each) => [each.hash, each]));
  const ordered = new Set<ReadEvent>();
  for (const start of events.toSorted(compareTimes)) {
    const waiting = [start];
    for (let next = waiting.at(-1); next !== undefined; next = waiting.at(-1)) {
      const { previous, heads } = next.event;
      const before = [previous ?? '', ...Object.values(heads)].flatMap((hash) => byHash.get(hash) ?? []);
      const missing = ordered.has(next) ? [] : before.filter((each) => !ordered.has(each));
      if (missing.length > 0) waiting.push(...missing);
      else ordered.add(waiting.pop()!);
    }
  }
  return [...ordered].map(({ event }) => event);
}

/** @param roots keys of what is to be copied, with all that it builds on */
function inCopyingOrder(
  fresh: ReadonlyMap<string, ReadEvent>,
  known: ReadonlySet<string>,
  roots: readonly string[],
): string[] {
  const byHash = new Map([...fresh].map(([key, { hash }]) => [hash, key]));
  const knownWriters = new Set([...known].map((key) => key.slice(0, key.indexOf('/'))));
  /** The keys of what an event builds on directly and is fresh; undefined when something of it is nowhere. */
  const basisOf = ({ event: { writer, sequence, heads } }: ReadEvent): string[] | undefined => {
    const previous = sequence === 0 ? [] : [eventKey(writer, sequence - 1)].filter((key) => !known.has(key));
    const named = Object.entries(heads).map(([other, hash]) => byHash.get(hash) ?? knownWriters.has(other));
    if (named.includes(false)) return undefined;
    return [...previous, ...named.filter((key) => typeof key === 'string')];
  };
  const needed = new Set(roots.filter((key) => fresh.has(key)));
  // Iterating over a set comes to what is added meanwhile.
  for (const key of needed) for (const basis of basisOf(fresh.get(key)!) ?? []) if (fresh.has(basis)) needed.add(basis);
  const waiting = [...needed].toSorted((a, b) => compareTimes(fresh.get(a)!, fresh.get(b)!));
  const ordered = new Set<string>();
  for (let before = -1; ordered.size > before; ) {
    before = ordered.size;
    // By their times they are in order already, unless clocks differ.
    for (const key of waiting) if (basisOf(fresh.get(key)!)?.every((basis) => ordered.has(basis))) ordered.add(key);
  }
  return [...ordered];
}

function eventKey(writer: string, sequence: number): string {
  return `${writer}/${String(sequence).padStart(SEQUENCE_DIGITS, '0')}`;
}

function compareTimes({ event: a }: ReadEvent, { event: b }: ReadEvent): number {
  return a.time < b.time ? -1 : a.time > b.time ? 1 : a.sequence - b.sequence;
}

function newWriter(): string {
  return randomBytes(16).toString('hex');
}

/** @throws repository-damaged unless each writer's events follow one another without a gap, and those that others name are there */
function assertChains(events: readonly ReadEvent[]): void {
  const known = new Set(events.map(({ event, hash }) => `${event.writer} ${hash}`));
  const hashes = new Map(events.map(({ event, hash }) => [`${event.writer}/${event.sequence}`, hash]));
  for (const { event } of events) {
    const expected = event.sequence === 0 ? null : hashes.get(`${event.writer}/${event.sequence - 1}`);
    if (event.previous !== expected) {
      throw new HoldfastError(
        'repository-damaged',
        `the ledger was changed or cut before event ${event.sequence} of writer ${event.writer}`,
        {
          hint: 'Somebody with the password of the repository edited or removed events.',
        },
      );
    }
    const gone = Object.entries(event.heads).find(([writer, hash]) => !known.has(`${writer} ${hash}`));
    if (gone !== undefined) {
      throw new HoldfastError('repository-damaged', `the ledger lacks events of writer ${gone[0]}, which others name`, {
        hint: 'Somebody with the password of the repository edited or removed events.',
      });
    }
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
