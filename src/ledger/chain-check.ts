import { HoldfastError } from '../foundation/errors.ts';
import type { LedgerEvent } from './events.ts';
import type { ReadEvent } from './objects.ts';
import { parseRanges } from './ranges.ts';

const HASH_BYTES = 32;
const SOMEBODY = 'Somebody with the password of the repository edited or removed events.';

/** Something that is not as it was written. */
export interface LedgerFault {
  /**
   * `damaged`: an object cannot be read as what was written. `moved`: it lies elsewhere than it was put. `missing`: events of
   * a chain are not there, between others or before them. `edited`: two events that follow one another do not fit.
   * `doubled`: two events claim one place. `cut`: events that others, or a checkpoint, name are not there.
   */
  what: 'damaged' | 'moved' | 'missing' | 'edited' | 'doubled' | 'cut';
  writer?: string;
  sequence?: number;
  /** Of the object, within the ledger. */
  object?: string;
  message: string;
}

/** The newest event of a writer. */
export interface Head {
  writer: string;
  sequence: number;
  /** SHA-256, hex. */
  hash: string;
}

/** So many bytes of a hash are looked up at once: a number holds them. */
const PREFIX_BYTES = 6;

/** Hashes of one writer's events by sequence, 32 bytes each. What is not known is all zeros. */
class Hashes {
  #bytes = Buffer.alloc(8 * HASH_BYTES);
  length = 0;
  /** Sequences by how their hashes begin, made when one is first looked for. */
  #byPrefix: Map<number, number> | undefined;

  get(sequence: number): string | undefined {
    if (sequence < 0 || sequence >= this.length) return undefined;
    const hash = this.#bytes.toString('hex', sequence * HASH_BYTES, (sequence + 1) * HASH_BYTES);
    return /[^0]/.test(hash) ? hash : undefined;
  }

  set(sequence: number, hash: string): void {
    const end = (sequence + 1) * HASH_BYTES;
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    this.#bytes.write(hash, sequence * HASH_BYTES, 'hex');
    this.length = Math.max(this.length, sequence + 1);
    this.#byPrefix = undefined;
  }

  has(sequence: number): boolean {
    const at = sequence * HASH_BYTES;
    return sequence < this.length && (this.#bytes.readUInt32LE(at) | this.#bytes.readUInt32LE(at + 4)) !== 0;
  }

  /** The sequence of the event with this hash, or -1. */
  indexOf(hash: string): number {
    const wanted = Buffer.from(hash, 'hex');
    if (wanted.length !== HASH_BYTES) return -1;
    this.#byPrefix ??= this.#indexed();
    const likely = this.#byPrefix.get(wanted.readUIntBE(0, PREFIX_BYTES));
    if (likely === undefined || this.get(likely) === hash) return likely ?? -1;
    // Two begin alike.
    for (let at = this.#bytes.indexOf(wanted); at !== -1; at = this.#bytes.indexOf(wanted, at + 1)) {
      if (at % HASH_BYTES === 0) return at / HASH_BYTES;
    }
    return -1;
  }

  #indexed(): Map<number, number> {
    const byPrefix = new Map<number, number>();
    for (let sequence = 0; sequence < this.length; sequence++) {
      byPrefix.set(this.#bytes.readUIntBE(sequence * HASH_BYTES, PREFIX_BYTES), sequence);
    }
    return byPrefix;
  }
}

/** What an event says that was put together with others; undefined for all other events, and where it says nothing. */
export function removedIn(event: LedgerEvent): Record<string, string> | undefined {
  if (event.kind !== 'ledger.folded') return undefined;
  const removed: unknown = event.body.removed;
  const isMeant = typeof removed === 'object' && removed !== null;
  const texts = isMeant ? Object.entries(removed).filter(([, ranges]) => typeof ranges === 'string') : [];
  return texts.length === 0 ? undefined : Object.fromEntries(texts);
}

/** No chain is longer: what claims to be is not. */
const LONGEST_CHAIN = 10_000_000;

/**
 * Whether events follow one another as they were written, whatever order they come in: 40 bytes for each.
 * Every chain must begin with 0, go on without a gap, each event naming the hash of the one before it, and what events
 * name of others must be there; so must be what was put together with others of its day.
 */
export class ChainCheck {
  readonly #chains = new Map<string, Hashes>();
  /** By writer and sequence: what the event behind says that the hash is, of those that have not come yet. */
  readonly #expected = new Map<string, string>();
  readonly #named: { by: Head; writer: string; hash: string }[] = [];
  /** What says of events that their objects went, since others have them. */
  readonly #folded: { by: Head; removed: Record<string, string> }[] = [];
  readonly #faults: LedgerFault[] = [];
  #count = 0;

  /** How many events there are, each counted once. */
  get count(): number {
    return this.#count;
  }

  /** Takes an event. @returns whether it is new: it may lie in several objects */
  add({ event, hash }: ReadEvent): boolean {
    const { writer, sequence, previous, heads } = event;
    if (sequence < 0 || sequence > LONGEST_CHAIN) {
      this.#faults.push({
        what: 'damaged',
        writer,
        message: `writer ${writer} has an event with the impossible number ${sequence}`,
      });
      return false;
    }
    const chain = this.#chains.get(writer) ?? new Hashes();
    this.#chains.set(writer, chain);
    const known = chain.get(sequence);
    if (known === hash) return false;
    if (known !== undefined) {
      const message = `there are two different events ${sequence} of writer ${writer}`;
      this.#faults.push({ what: 'doubled', writer, sequence, message });
      return false;
    }
    chain.set(sequence, hash);
    this.#count++;
    this.#expectBefore({ writer, sequence, previous }, chain);
    const name = `${writer}/${sequence}`;
    const expected = this.#expected.get(name);
    this.#expected.delete(name);
    if (expected !== undefined && expected !== hash) this.#unfitting(writer, sequence + 1);
    const by = { writer, sequence, hash };
    for (const [other, head] of Object.entries(heads)) this.#named.push({ by, writer: other, hash: head });
    const removed = removedIn(event);
    if (removed !== undefined) this.#folded.push({ by, removed });
    return true;
  }

  #expectBefore(
    { writer, sequence, previous }: { writer: string; sequence: number; previous: string | null },
    chain: Hashes,
  ): void {
    if (sequence === 0) {
      if (previous !== null) this.#unfitting(writer, 0);
      return;
    }
    const before = chain.get(sequence - 1);
    if (before === undefined) this.#expected.set(`${writer}/${sequence - 1}`, previous ?? '');
    else if (before !== previous) this.#unfitting(writer, sequence);
  }

  #unfitting(writer: string, sequence: number): void {
    const message = `the ledger was changed or cut before event ${sequence} of writer ${writer}: event ${sequence - 1} is not the one that it names`;
    this.#faults.push({ what: 'edited', writer, sequence: Math.max(0, sequence - 1), message });
  }

  /** What is wrong, once all events were taken. */
  faults(): LedgerFault[] {
    const faults = [...this.#faults];
    for (const name of this.#expected.keys()) {
      const [writer = '', digits] = name.split('/');
      const sequence = Number(digits);
      const message = `the ledger was changed or cut before event ${sequence + 1} of writer ${writer}: event ${sequence} is missing`;
      faults.push({ what: 'missing', writer, sequence, message });
    }
    for (const { by, writer, hash } of this.#named) {
      if ((this.#chains.get(writer)?.indexOf(hash) ?? -1) !== -1) continue;
      const message = `the ledger lacks events of writer ${writer}, which others name: event ${by.sequence} of writer ${by.writer} builds on one that is not there`;
      faults.push({ what: 'cut', writer, message });
    }
    return [...faults, ...this.#lostByFolding()];
  }

  /** Objects were removed because others have what they had: were those removed too, the chain's end may be gone with them. */
  #lostByFolding(): LedgerFault[] {
    return this.#folded.flatMap(({ by, removed }) =>
      Object.entries(removed).flatMap(([writer, ranges]): LedgerFault[] => {
        const sequence = this.#firstMissing(writer, ranges);
        if (sequence === undefined) return [];
        const message = `the ledger lacks event ${sequence} of writer ${writer}, which was put together with others of its day, as event ${by.sequence} of writer ${by.writer} says`;
        return [{ what: 'cut', writer, sequence, message }];
      }),
    );
  }

  #firstMissing(writer: string, ranges: string): number | undefined {
    const chain = this.#chains.get(writer);
    for (const [first, last] of parseRanges(ranges)) {
      // Whatever the range says, no more is looked at than there is.
      for (let sequence = first; sequence <= last; sequence++) if (chain?.has(sequence) !== true) return sequence;
    }
    return undefined;
  }

  /** @throws repository-damaged with the first fault */
  assertWhole(): void {
    const [fault] = this.faults();
    if (fault === undefined) return;
    const context = { writer: fault.writer, sequence: fault.sequence };
    throw new HoldfastError('repository-damaged', fault.message, { hint: SOMEBODY, context });
  }

  has(writer: string, sequence: number): boolean {
    return this.#chains.get(writer)?.get(sequence) !== undefined;
  }

  hashOf(writer: string, sequence: number): string | undefined {
    return this.#chains.get(writer)?.get(sequence);
  }

  /** The newest event of every writer. */
  heads(): Head[] {
    return [...this.#chains].map(([writer, chain]) => {
      const sequence = chain.length - 1;
      return { writer, sequence, hash: chain.get(sequence)! };
    });
  }

  /** The newest events that no other writer names: through them all others are bound. */
  tips(): Head[] {
    const named = new Set(this.#named.map(({ hash }) => hash));
    return this.heads().filter(({ hash }) => !named.has(hash));
  }

  /** The newest event of each writer that these heads bind, through what they build on and what that builds on. */
  coveredBy(heads: readonly Head[]): Head[] {
    const covered = new Map<string, number>();
    const namedBy = Map.groupBy(this.#named, ({ by }) => by.writer);
    const waiting: { writer: string; sequence: number }[] = [...heads];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { writer, sequence } = next;
      const chain = this.#chains.get(writer);
      const before = covered.get(writer) ?? -1;
      if (chain === undefined || sequence <= before) continue;
      covered.set(writer, sequence);
      for (const { by, writer: other, hash } of namedBy.get(writer) ?? []) {
        if (by.sequence > before && by.sequence <= sequence) {
          waiting.push({ writer: other, sequence: this.#chains.get(other)?.indexOf(hash) ?? -1 });
        }
      }
    }
    return [...covered].map(([writer, sequence]) => ({ writer, sequence, hash: this.hashOf(writer, sequence) ?? '' }));
  }
}
