import { createHash, randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import type { Clock } from '../foundation/clock.ts';
import { HoldfastError, messageOf } from '../foundation/errors.ts';
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

interface StoredEvent {
  key: string;
  writer: string;
  sequence: number;
  modifiedMs: number;
}

/** The append-only record of what Holdfast did and saw. One object of this class writes one chain. */
export class Ledger {
  readonly #storage: LedgerStorage;
  readonly #clock: Clock;
  readonly #writer = randomBytes(16).toString('hex');
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
    this.#turn = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  /**
   * All events, oldest first, each authenticated and its chain checked.
   * @throws repository-damaged when an event is damaged or missing within its chain
   */
  async read(): Promise<LedgerEvent[]> {
    const stored = await this.#list();
    const events = await Promise.all(stored.map((entry) => this.#readEvent(entry)));
    assertChains(events);
    return events
      .map(({ event }) => event)
      .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.sequence - b.sequence));
  }

  async #append<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]): Promise<void> {
    const envelope: EventEnvelope = {
      version: 1,
      writer: this.#writer,
      sequence: this.#sequence,
      previous: this.#previous,
      heads: this.#sequence === 0 ? await this.#headsOfOthers() : {},
      time: new Date(this.#clock.nowMs()).toISOString(),
      actor: `${userInfo().username}@${hostname()}`,
    };
    const plain = Buffer.from(JSON.stringify({ ...envelope, kind, body }));
    const key = `${this.#writer}/${String(this.#sequence).padStart(SEQUENCE_DIGITS, '0')}`;
    await this.#storage.putNew(key, this.#storage.seal(plain));
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

  async #readEvent({ key, writer, sequence }: StoredEvent): Promise<{ event: LedgerEvent; hash: string }> {
    const plain = this.#storage.unseal(await this.#storage.get(key));
    let event: LedgerEvent;
    try {
      event = JSON.parse(Buffer.from(plain).toString('utf8')) as LedgerEvent;
    } catch (cause) {
      throw new HoldfastError('repository-damaged', `the ledger's event ${key} is not JSON: ${messageOf(cause)}`, {
        cause,
      });
    }
    if (event.version > 1) {
      throw new HoldfastError(
        'repository-unsupported',
        `the ledger's event ${key} has the unknown version ${event.version}`,
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
}

/** @throws repository-damaged unless each writer's events follow one another without a gap */
function assertChains(events: readonly { event: LedgerEvent; hash: string }[]): void {
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
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
