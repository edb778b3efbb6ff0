import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeDirectories } from '../../foundation/directories.ts';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { userStateDirectory } from '../../foundation/user-state.ts';
import type { Workspace } from '../workspace.ts';
import { QuantileDigest } from './quantile-digest.ts';
import type { Seen, SeenHour, WatchedKind } from './watched.ts';

/** Days whose summary is in the ledger stay so long beside it. */
const KEPT_HOURS = 8 * 24;

/** Where a plan's samples are kept on this machine. @throws bad-usage for a user without a home */
export function watchPath({ plan, planPath = '', environment }: Workspace): string {
  const name = createHash('sha256').update(`${plan.name}\n${planPath}`).digest('hex').slice(0, 16);
  const directory = userStateDirectory(environment.variables);
  if (directory === undefined) {
    throw new HoldfastError('bad-usage', 'there is no directory to keep what is seen of services in', {
      hint: 'Set XDG_STATE_HOME, or HOME, to an absolute path that this user may write to.',
    });
  }
  return join(directory, `watch-${plan.name}-${name}.sqlite`);
}

/** Samples of the last days in a file that can be deleted at any time. */
export class WatchStore {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * What is there and is no such file gives way to a new one.
   * @param told is told so
   * @throws watch-failed where none can be made
   */
  static async open(path: string, told: (message: string) => void): Promise<WatchStore> {
    try {
      await makeDirectories(dirname(path), 0o700);
      return new WatchStore(opened(path));
    } catch (error) {
      if (!isDamaged(error)) throw unusable(path, error);
    }
    told(`${path} could not be read, and begins anew: what was seen of the last days is in the ledger alone`);
    for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
    try {
      return new WatchStore(opened(path));
    } catch (error) {
      throw unusable(path, error);
    }
  }

  /** What another process keeps there, to be read; undefined where there is nothing. @throws watch-failed */
  static read(path: string): WatchStore | undefined {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { readOnly: true });
      database.exec('PRAGMA busy_timeout = 2000; SELECT 1 FROM recent, hours, summarised LIMIT 1');
      return new WatchStore(database);
    } catch (error) {
      database?.close();
      // SQLITE_CANTOPEN: nobody has made it yet.
      if ((error as { errcode?: number }).errcode === 14) return undefined;
      throw unusable(path, error);
    }
  }

  /** @throws watch-failed */
  seen(kind: WatchedKind, name: string): Seen {
    const row = this.#do(() =>
      this.#database.prepare('SELECT seen FROM recent WHERE kind = ? AND name = ?').get(kind, name),
    );
    return row === undefined ? { samples: [], errorRates: [] } : (JSON.parse(String(row['seen'])) as Seen);
  }

  /** Hours of one thing or of all, from one on, oldest first. @throws watch-failed */
  hours(from: number, of?: { kind: WatchedKind; name: string }): SeenHour[] {
    const where = of === undefined ? '' : 'AND kind = ? AND name = ?';
    const values = of === undefined ? [] : [of.kind, of.name];
    const sql = `SELECT kind, name, hour, samples, failures, digest FROM hours WHERE hour >= ? ${where} ORDER BY hour`;
    const rows = this.#do(() => this.#database.prepare(sql).all(from, ...values));
    return rows.map((row) => ({
      ...{ kind: row['kind'] as WatchedKind, name: String(row['name']), hour: Number(row['hour']) },
      ...{ samples: Number(row['samples']), failures: Number(row['failures']) },
      digest: new QuantileDigest(JSON.parse(String(row['digest']))),
    }));
  }

  /** Keeps all of it, or nothing. @throws watch-failed */
  write(seen: Iterable<readonly [WatchedKind, string, Seen]>, hours: Iterable<SeenHour>): void {
    this.#do(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const recent = this.#database.prepare('INSERT OR REPLACE INTO recent VALUES (?, ?, ?)');
        for (const [kind, name, each] of seen) recent.run(kind, name, JSON.stringify(each));
        const hourly = this.#database.prepare('INSERT OR REPLACE INTO hours VALUES (?, ?, ?, ?, ?, ?)');
        for (const { kind, name, hour, samples, failures, digest } of hours) {
          hourly.run(kind, name, hour, samples, failures, JSON.stringify(digest));
        }
        this.#database.exec('COMMIT');
      } catch (error) {
        this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** Days before one whose summary is not in the ledger yet, each with its hours. @param day days since 1970. @throws watch-failed */
  unsummarised(day: number): SeenHour[][] {
    const days = this.#do(() =>
      this.#database
        .prepare(
          `SELECT DISTINCT kind, name, hour / 24 AS day FROM hours WHERE hour < ?
           EXCEPT SELECT kind, name, day FROM summarised ORDER BY day`,
        )
        .all(day * 24),
    );
    return days.map((row) => {
      const of = { kind: row['kind'] as WatchedKind, name: String(row['name']) };
      const first = Number(row['day']) * 24;
      return this.hours(first, of).filter(({ hour }) => hour < first + 24);
    });
  }

  /** The ledger has the summary of a day; what is long past goes. @throws watch-failed */
  markSummarised({ kind, name, hour }: Pick<SeenHour, 'kind' | 'name' | 'hour'>): void {
    this.#do(() => {
      const day = Math.floor(hour / 24);
      this.#database.prepare('INSERT OR REPLACE INTO summarised VALUES (?, ?, ?)').run(kind, name, day);
      const past = 'DELETE FROM hours WHERE kind = ? AND name = ? AND hour < ?';
      this.#database.prepare(past).run(kind, name, hour - KEPT_HOURS);
      this.#database
        .prepare('DELETE FROM summarised WHERE kind = ? AND name = ? AND day < ?')
        .run(kind, name, day - KEPT_HOURS / 24 - 1);
    });
  }

  close(): void {
    this.#database.close();
  }

  #do<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw unusable(this.#database.location() ?? '', error);
    }
  }
}

function opened(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(readFileSync(new URL('./sql/watch.sql', import.meta.url), 'utf8'));
    database.exec('SELECT 1 FROM recent, hours, summarised LIMIT 1');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLITE_CORRUPT, SQLITE_NOTADB; or a table of another form. */
function isDamaged(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode === 11 || errcode === 26 || errcode === 1;
}

function unusable(path: string, cause: unknown): HoldfastError {
  return new HoldfastError(
    'watch-failed',
    `what was seen of the living cannot be kept in ${path}: ${messageOf(cause)}`,
    {
      hint: 'See whether the disk is full and the directory may be written. The file can be deleted at any time.',
      context: { path },
      retryable: true,
      cause,
    },
  );
}
