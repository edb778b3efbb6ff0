import { HoldfastError } from '../../foundation/errors.ts';
import type { Progress } from '../../foundation/progress.ts';
import { copyIn } from './copy-in.ts';
import { quoteIdentifier } from './identifiers.ts';
import type { LoadableDatabase, LoadableTable, TableRows } from './loadable.ts';
import type { Session } from './session.ts';
import { PART_BYTES } from './table-parts.ts';

/** So much is taken at a time, so that rows which lay beside each other mostly do so again. */
const RUN_BYTES = 4 * 1024 * 1024;

/**
 * One table being loaded, a large one by several connections: a server takes rows on one processor for each. Smaller ones have
 * their rows in the order that they were read in.
 */
export class TableLoad {
  readonly isShared: boolean;
  readonly #table: LoadableTable;
  readonly #database: LoadableDatabase;
  readonly #progress: Progress;
  #begun: { rows: TableRows; shared: SharedRows } | undefined;
  #connections = 0;
  #loaded = 0;
  #isOver = false;

  constructor(table: LoadableTable, database: LoadableDatabase, progress: Progress) {
    this.isShared = table.bytes > PART_BYTES;
    this.#table = table;
    this.#database = database;
    this.#progress = progress;
  }

  /**
   * Loads rows until none are left that no other connection has taken.
   * @throws target-failed, also when other rows are there in the end than there should be
   */
  async loadOver(session: Session): Promise<void> {
    if (this.#isOver) return;
    const { name, schema, columns: names } = this.#table;
    const qualified = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
    const columns = names.length === 0 ? '' : `(${names.map(quoteIdentifier).join(', ')})`;
    const sql = `COPY ${qualified} ${columns} FROM STDIN WITH (ENCODING '${this.#database.facts.encoding}')`;
    const { rows, shared } = this.#begin();
    this.#connections++;
    const loaded = await copyIn(session, `load table ${qualified}`, sql, this.#counted(shared.share()));
    this.#loaded += loaded;
    if (--this.#connections > 0) return;
    this.#isOver = true;
    this.#progress.advance({ items: 1 });
    if (this.#loaded === rows.count()) return;
    throw new HoldfastError(
      'target-failed',
      `table ${qualified} has ${this.#loaded} rows, the snapshot ${rows.count()}`,
      {
        hint: 'See whether a rule or trigger on the target keeps rows out.',
      },
    );
  }

  /** Reads no more of it. */
  async close(): Promise<void> {
    await this.#begun?.shared.close();
  }

  #begin(): { rows: TableRows; shared: SharedRows } {
    if (this.#begun === undefined) {
      const rows = this.#database.rowsOf(this.#table);
      this.#begun = { rows, shared: new SharedRows(rows.bytes) };
    }
    return this.#begun;
  }

  async *#counted(rows: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of rows) {
      const { length } = bytes;
      yield bytes;
      this.#progress.advance({ bytes: length });
    }
  }
}

const ROW_END = 0x0a;

/**
 * Rows as COPY writes them, taken by several in turn, each time whole ones: a line feed ends a row, since one within a value
 * is written as `\n` ("COPY", section "Text Format", in PostgreSQL's documentation).
 */
export class SharedRows {
  readonly #bytes: AsyncIterator<Uint8Array>;
  readonly #runBytes: number;
  /** The beginning of a row. */
  #held: Uint8Array[] = [];
  #turn: Promise<Uint8Array[] | undefined> = Promise.resolve([]);

  /** @param runBytes how much is taken at a time, at least */
  constructor(bytes: AsyncIterable<Uint8Array>, runBytes = RUN_BYTES) {
    this.#bytes = bytes[Symbol.asyncIterator]();
    this.#runBytes = runBytes;
  }

  /** What one of them gets. Each buffer belongs to the caller. @throws what reading throws, to all of them */
  async *share(): AsyncGenerator<Uint8Array> {
    for (;;) {
      this.#turn = this.#turn.then(() => this.#take());
      const rows = await this.#turn;
      if (rows === undefined) return;
      yield* rows;
    }
  }

  /** Reads no more. */
  async close(): Promise<void> {
    await this.#bytes.return?.();
  }

  /** A run of whole rows; at the end whatever is left, and then undefined. */
  async #take(): Promise<Uint8Array[] | undefined> {
    const rows = this.#held;
    this.#held = [];
    for (let bytes = 0; ; ) {
      const { value, done } = await this.#bytes.next();
      if (done) return rows.length === 0 ? undefined : rows;
      bytes += value.length;
      const end = bytes < this.#runBytes ? 0 : value.lastIndexOf(ROW_END) + 1;
      if (end === 0) {
        rows.push(value);
        continue;
      }
      // Copied, since whoever takes the rows may give their memory back; a Buffer's own `slice` would not copy.
      this.#held = end < value.length ? [new Uint8Array(value.subarray(end))] : [];
      return [...rows, value.subarray(0, end)];
    }
  }
}
