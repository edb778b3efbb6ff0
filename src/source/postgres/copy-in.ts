import { once } from 'node:events';
import type pg from 'pg';
import { releaseBuffer } from '../../foundation/buffers.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { END_OF_ROWS } from './archive/add-table-data.ts';
import type { Session } from './session.ts';

const COPY_DATA = 0x64;
const MESSAGE_HEADER_BYTES = 5;

/**
 * Runs `COPY … FROM STDIN` with these bytes, which it takes over. Waits for the socket where it is full.
 * @returns the number of rows as the server counts them
 */
export async function copyIn(
  session: Session,
  doing: string,
  sql: string,
  rows: AsyncIterable<Uint8Array>,
): Promise<number> {
  return session.run(doing, async () => {
    const query = new CopyInQuery(sql, rows);
    session.client.query(query);
    return query.finished;
  });
}

/**
 * The rows of a table's file in the archive: everything before the end mark.
 * @throws archive-damaged when the mark is not there
 */
export async function* rowsOfFile(file: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  /** The end of what came, copied: as much as the mark has. */
  let held: Uint8Array = new Uint8Array();
  for await (const bytes of file) {
    const isLong = bytes.length >= END_OF_ROWS.length;
    if (isLong && held.length > 0) yield held;
    const all = isLong || held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    const sure = Math.max(0, all.length - END_OF_ROWS.length);
    held = Buffer.from(all.subarray(sure));
    if (sure > 0) yield all.subarray(0, sure);
  }
  if (!END_OF_ROWS.equals(held)) {
    throw new HoldfastError('archive-damaged', `the rows in ${name} do not end as they should`, {
      hint: 'Restore an older snapshot, and check the repository.',
      context: { file: name },
    });
  }
}

/** What pg calls on the query that is under way. */
class CopyInQuery implements pg.Submittable {
  readonly #sql: string;
  readonly #rows: AsyncIterable<Uint8Array>;
  readonly #outcome = Promise.withResolvers<number>();
  readonly finished = this.#outcome.promise;
  /** Why the rows could not be sent; the server's error that follows says less. */
  #cause: unknown;
  #ended = false;
  #count = Number.NaN;

  constructor(sql: string, rows: AsyncIterable<Uint8Array>) {
    this.#sql = sql;
    this.#rows = rows;
  }

  submit(connection: pg.Connection): void {
    connection.query(this.#sql);
  }

  handleCopyInResponse(connection: pg.Connection): void {
    const { stream } = connection;
    this.#send(stream).then(
      () => this.#ended || (connection as unknown as { endCopyFrom(): void }).endCopyFrom(),
      (error: unknown) => {
        this.#cause = error;
        const say = connection as unknown as { sendCopyFail(message: string): void };
        if (!this.#ended && !stream.destroyed) say.sendCopyFail('the rows could not be read');
      },
    );
  }

  handleCommandComplete(message: { text: string }): void {
    this.#count = Number(/^COPY (\d+)$/.exec(message.text)?.[1] ?? Number.NaN);
  }

  handleReadyForQuery(): void {
    this.#outcome.resolve(this.#count);
  }

  handleError(error: Error): void {
    this.#ended = true;
    this.#outcome.reject(this.#cause ?? error);
  }

  async #send(stream: pg.Connection['stream']): Promise<void> {
    for await (const bytes of this.#rows) {
      if (this.#ended || stream.destroyed) return;
      if (bytes.length === 0) continue;
      const header = Buffer.allocUnsafe(MESSAGE_HEADER_BYTES);
      header[0] = COPY_DATA;
      header.writeUInt32BE(bytes.length + 4, 1);
      stream.cork();
      stream.write(header);
      const accepted = stream.write(bytes, () => releaseBuffer(bytes));
      stream.uncork();
      if (!accepted) await drained(stream);
    }
  }
}

/** Waits until the socket takes more, or is gone: whoever reads from it says why. */
async function drained(stream: pg.Connection['stream']): Promise<void> {
  const given = new AbortController();
  const { signal } = given;
  try {
    await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]);
  } finally {
    given.abort();
  }
}
