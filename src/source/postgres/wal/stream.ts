import type pg from 'pg';
import { type LogPosition, lsnText, parseLsnText } from '../../../repository/index.ts';
import type { Session } from '../session.ts';
import { readWalMessage, statusUpdate, type WalMessage } from './messages.ts';

/** What pg's connection has beside what its types say. */
type CopyConnection = pg.Connection & { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void };

export interface StreamHandler {
  /** @returns when it would like to get more; undefined when at once */
  message(message: WalMessage): Promise<void> | undefined;
}

/**
 * One START_REPLICATION: gives the messages of one timeline as they come, until the timeline ends.
 * Source: PostgreSQL's documentation, "Streaming Replication Protocol", START_REPLICATION.
 */
export class WalStream implements pg.Submittable {
  readonly #command: string;
  readonly #handler: StreamHandler;
  readonly #outcome = Promise.withResolvers<LogPosition | undefined>();
  #connection: CopyConnection | undefined;
  #isCopying = false;
  /** Promises of the handler's that the stream waits for. */
  #waiting = 0;
  #next: LogPosition | undefined;

  constructor(slot: string, from: LogPosition, handler: StreamHandler) {
    this.#command = `START_REPLICATION SLOT "${slot}" PHYSICAL ${lsnText(from.lsn)} TIMELINE ${from.timeline}`;
    this.#handler = handler;
  }

  /**
   * @param session a replication connection
   * @returns where the next timeline begins; undefined when the server ended the copy without one
   * @throws source-lost, source-refused, and what the handler throws
   */
  run(session: Session): Promise<LogPosition | undefined> {
    return session.run('stream the log', () => {
      session.client.query(this);
      return this.#outcome.promise;
    });
  }

  /** Whether the socket is not read because the handler has enough. */
  get isPaused(): boolean {
    return this.#waiting > 0;
  }

  /** Tells the server what it need not keep any more, and asks for an answer. */
  acknowledge(durable: bigint, nowMs: number): void {
    if (this.#isCopying) this.#connection?.sendCopyFromChunk(statusUpdate({ durable, nowMs }));
  }

  submit(connection: pg.Connection): void {
    this.#connection = connection as CopyConnection;
    connection.once('copyDone', () => {
      // The timeline has ended. The server waits for the same of us, and then says which one is next.
      if (this.#isCopying) this.#connection?.endCopyFrom();
      this.#isCopying = false;
    });
    connection.once('replicationStart', () => {
      this.#isCopying = true;
    });
    connection.query(this.#command);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    try {
      const ready = this.#handler.message(readWalMessage(chunk));
      if (ready !== undefined) this.#pauseUntil(ready);
    } catch (error) {
      this.#fail(error);
    }
  }

  handleRowDescription(): void {}

  /** Of the next timeline: its number, and where it begins. */
  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    try {
      this.#next = { timeline: Number(fields[0]), lsn: parseLsnText(fields[1] && String(fields[1])) };
    } catch (error) {
      this.#fail(error);
    }
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#isCopying = false;
    this.#outcome.resolve(this.#next);
  }

  /** By the server's error, or by a connection that is lost. */
  handleError(error: Error): void {
    this.#isCopying = false;
    this.#outcome.reject(error);
  }

  #pauseUntil(ready: Promise<void>): void {
    const stream = this.#connection!.stream;
    stream.pause();
    this.#waiting++;
    ready.then(
      () => {
        if (--this.#waiting === 0) stream.resume();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    this.#isCopying = false;
    this.#outcome.reject(error);
    this.#connection?.stream.destroy();
  }
}
