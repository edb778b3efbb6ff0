import { HoldfastError, messageOf } from '../../../foundation/errors.ts';
import type { Pause } from '../../../foundation/pause.ts';
import { awaitedLater } from '../../../foundation/promises.ts';
import type { DecodedDocument } from '../codec/document-line.ts';
import type { RampUp } from './ramp-up.ts';
import { isTransient, MAX_ATTEMPTS, waitMs } from './transient.ts';

/** One write as the interface takes it, and about how many bytes it has there. */
export interface DocumentWrite {
  write: { update: DecodedDocument } | { delete: string };
  bytes: number;
}

/** What became of one write: `google.rpc.Status`, of which 0 is success. */
export interface WriteStatus {
  code?: number | null | undefined;
  message?: string | null | undefined;
}

export interface DocumentWriterOptions {
  /** One call of BatchWrite. Each write has a status of its own, in the order of the writes. */
  send(writes: DocumentWrite['write'][]): Promise<WriteStatus[]>;
  pause: Pause;
  /** Told of every batch, once all of it is written. */
  onWritten(documents: number, bytes: number): void;
  rampUp?: RampUp;
}

/** By Firestore's limits: so many writes, and 10 MiB, of which names that are written out take their part. */
const BATCH_WRITES = 100;
const BATCH_BYTES = 2 * 1024 * 1024;
const MAX_AT_ONCE = 8;
const FIRST_AT_ONCE = 4;
/** So many documents may be refused for good, each named, before it is plain that none is taken. */
const MAX_REFUSED = 100;
/** INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE: it is this document that is not taken. */
const OF_A_DOCUMENT: ReadonlySet<unknown> = new Set([3, 9, 11]);

/**
 * Writes documents in batches, many at once: more as long as the server keeps up, fewer when it says that it does not. Each
 * write is judged by its own status. Two writes of one document must not be on their way at the same time.
 */
export class DocumentWriter {
  written = 0;
  deleted = 0;
  /** What the server would not take, by path. */
  readonly refused: { path: string; message: string }[] = [];
  readonly #options: DocumentWriterOptions;
  readonly #underWay = new Set<Promise<void>>();
  #batch: DocumentWrite[] = [];
  #batchBytes = 0;
  #atOnce = FIRST_AT_ONCE;
  #failure: { error: unknown } | undefined;

  constructor(options: DocumentWriterOptions) {
    this.#options = options;
  }

  /** Takes one more write, and waits while enough are on their way. @throws target-failed, also of an earlier write */
  async add(write: DocumentWrite): Promise<void> {
    if (this.#batchBytes + write.bytes > BATCH_BYTES && this.#batch.length > 0) await this.#launch();
    this.#batch.push(write);
    this.#batchBytes += write.bytes;
    if (this.#batch.length >= BATCH_WRITES) await this.#launch();
  }

  /** Resolves once everything is written, or named in `refused`. @throws target-failed */
  async end(): Promise<void> {
    if (this.#batch.length > 0) await this.#launch();
    await Promise.all(this.#underWay);
    this.#throwFailure();
  }

  async #launch(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    while (this.#underWay.size >= Math.floor(this.#atOnce)) await Promise.race(this.#underWay);
    this.#throwFailure();
    const sent: Promise<void> = awaitedLater(
      this.#writeAll(batch)
        .catch((error: unknown) => {
          this.#failure ??= { error };
        })
        .finally(() => this.#underWay.delete(sent)),
    );
    this.#underWay.add(sent);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #writeAll(batch: readonly DocumentWrite[]): Promise<void> {
    let pending = batch;
    for (let attempt = 1; pending.length > 0; attempt++) {
      await this.#options.rampUp?.take(pending.length);
      const statuses = await this.#send(pending);
      const again: DocumentWrite[] = [];
      for (const [at, each] of pending.entries()) if (!this.#settle(each, statuses[at]!)) again.push(each);
      if (again.length === 0) {
        this.#atOnce = Math.min(MAX_AT_ONCE, this.#atOnce + 1 / this.#atOnce);
      } else {
        this.#atOnce = Math.max(1, this.#atOnce / 2);
        const status = statuses[pending.indexOf(again[0]!)]!;
        if (attempt >= MAX_ATTEMPTS) throw gaveUp(again.length, status);
        await this.#options.pause(waitMs(attempt));
      }
      pending = again;
    }
    this.#options.onWritten(
      batch.length,
      batch.reduce((sum, { bytes }) => sum + bytes, 0),
    );
  }

  /** A call that fails as a whole gives its status to each of its writes. @throws target-failed where another try is in vain */
  async #send(pending: readonly DocumentWrite[]): Promise<WriteStatus[]> {
    try {
      const statuses = await this.#options.send(pending.map(({ write }) => write));
      if (statuses.length === pending.length) return statuses;
      throw new HoldfastError('target-failed', `the server told of ${statuses.length} of ${pending.length} writes`, {
        hint: 'Run the same command again: it goes on where it was.',
      });
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (isTransient(code)) return pending.map(() => ({ code: code as number, message: messageOf(error) }));
      if (error instanceof HoldfastError) throw error;
      throw refusedWrites({ code: code as number, message: messageOf(error) }, error);
    }
  }

  /** @returns whether nothing more is to be done about this write @throws target-failed */
  #settle({ write }: DocumentWrite, { code, message }: WriteStatus): boolean {
    if (code === 0 || code === undefined || code === null) {
      if ('delete' in write) this.deleted++;
      else this.written++;
      return true;
    }
    if (isTransient(code)) return false;
    if (!OF_A_DOCUMENT.has(code) || this.refused.length >= MAX_REFUSED) throw refusedWrites({ code, message });
    const name = 'delete' in write ? write.delete : write.update.name;
    this.refused.push({ path: name.slice(name.indexOf('/documents/') + 1), message: `not taken: ${message ?? code}` });
    return true;
  }
}

function gaveUp(writes: number, { code, message }: WriteStatus): HoldfastError {
  return new HoldfastError('target-failed', `${writes} writes failed ${MAX_ATTEMPTS} times: ${message || code}`, {
    hint: 'Run the same command again: it goes on where it was.',
    retryable: true,
    context: { code: code ?? undefined },
  });
}

function refusedWrites({ code, message }: WriteStatus, cause?: unknown): HoldfastError {
  return new HoldfastError('target-failed', `the database does not take the documents: ${message || code}`, {
    hint: 'See whether the database exists, is in Native mode, and lets these credentials write (`roles/datastore.user`).',
    context: { code: code ?? undefined },
    ...(cause !== undefined && { cause }),
  });
}
