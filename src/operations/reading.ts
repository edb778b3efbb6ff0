import { setTimeout } from 'node:timers/promises';
import type { Clock } from '../foundation/clock.ts';
import { type HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import { awaitedLater, settled } from '../foundation/promises.ts';
import type { EventBodies, EventKind } from '../ledger/index.ts';
import { type HeldLock, lockRepository } from '../repository/index.ts';
import { isUnwritable } from './unwritable.ts';
import type { OpenedRepository } from './workspace.ts';

const PATIENCE_MS = 2000;

/**
 * Work that reads a repository, under a shared lock, and records what it found.
 *
 * On the day of a disaster the repository may be on a full disk, or a copy that cannot be written to. What is there can be
 * read all the same: then there is no lock and no record, and `notes` says so.
 */
export class Reading {
  readonly notes: string[] = [];
  readonly #opened: OpenedRepository;
  readonly #lock: HeldLock | undefined;
  readonly #onHealed = (note: string): void => void this.notes.push(note);

  private constructor(opened: OpenedRepository, lock: HeldLock | undefined) {
    this.#opened = opened;
    this.#lock = lock;
    opened.onHealed.add(this.#onHealed);
  }

  /**
   * @param whole whether everything is looked at, also what a prune has marked
   * @throws repository-locked, and whatever keeps the repository from being read
   */
  static async begin(opened: OpenedRepository, clock: Clock, { whole = false } = {}): Promise<Reading> {
    // Nothing is written into a mirror, not even a lock: what its primary removes meanwhile may go.
    if (opened.primaryLedger !== undefined) return new Reading(opened, undefined);
    try {
      return new Reading(opened, await lockRepository(opened.repository, { exclusive: false, whole, clock }));
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      const reading = new Reading(opened, undefined);
      reading.notes.push(`the repository is read without a lock: ${error.message}`);
      return reading;
    }
  }

  /**
   * Records that names and sizes of what is protected were shown, beside the work that reads them.
   * @returns what came of the work, once that is recorded, or noted that it is not
   * @throws what the work throws, whatever became of the record
   */
  async showing<T>(shown: EventBodies['content.listed'], work: () => Promise<T>): Promise<T> {
    const recorded = awaitedLater(this.recordShown(shown));
    try {
      const result = await work();
      await this.#inTime(recorded);
      return result;
    } catch (error) {
      await settled(this.#inTime(recorded));
      throw error;
    }
  }

  /** Records that names and sizes were shown, or notes that it could not be: what is there can be read, whatever the ledger is. */
  async recordShown(shown: EventBodies['content.listed']): Promise<void> {
    try {
      await this.record('content.listed', shown);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      this.#noteUnrecorded(error);
    }
  }

  #noteUnrecorded({ message }: HoldfastError): void {
    this.notes.push(`this was not recorded in the ledger: ${message}`);
  }

  /** Who reads a mirror does so since its primary is away, and waits for it no longer than this. */
  async #inTime(recorded: Promise<void>): Promise<void> {
    if (this.#opened.primaryLedger === undefined) return recorded;
    const late = new AbortController();
    const isLate = setTimeout(PATIENCE_MS, true, { signal: late.signal }).catch(() => false);
    if (await Promise.race([recorded.then(() => false), isLate])) {
      this.notes.push('this is not recorded in the ledger: the primary of the mirror does not answer');
    }
    late.abort();
  }

  /** Records an event, or notes that it could not be. @returns whether it is recorded */
  async record<Kind extends EventKind>(kind: Kind, body: EventBodies[Kind]): Promise<boolean> {
    const { ledger, primaryLedger } = this.#opened;
    try {
      await (await (primaryLedger?.() ?? ledger)).append(kind, body);
      return true;
    } catch (error) {
      // On the day that a mirror is read its primary may be anything.
      if (!isUnwritable(error) && (primaryLedger === undefined || !isHoldfastError(error))) throw error;
      this.#noteUnrecorded(error);
      return false;
    }
  }

  async end(): Promise<void> {
    this.#opened.onHealed.delete(this.#onHealed);
    await this.#lock?.release();
  }
}
