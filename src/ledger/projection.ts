import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { makeDirectories } from '../foundation/directories.ts';
import { HoldfastError } from '../foundation/errors.ts';
import { sideBySide } from '../foundation/promises.ts';
import type { LedgerEvent } from './events.ts';
import { eventBytes, parseLedgerKey, type ReadEvent } from './objects.ts';
import { basisOf, type Rank, ranked } from './order.ts';
import { type EventQuery, matches, sourcesOf } from './query.ts';
import { openLedgerObject, unsealed } from './read-objects.ts';
import type { LedgerStorage, StoredLedgerObject } from './storage.ts';

const SCHEMA = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA busy_timeout = 10000;
CREATE TABLE IF NOT EXISTS objects (
  id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, sealed BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
  writer TEXT NOT NULL, sequence INTEGER NOT NULL, hash TEXT NOT NULL, object INTEGER NOT NULL, position INTEGER NOT NULL,
  rank INTEGER NOT NULL, depth INTEGER NOT NULL, time INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
  sources TEXT NOT NULL, PRIMARY KEY (writer, sequence)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS events_kind ON events (kind, rank);
CREATE INDEX IF NOT EXISTS events_rank ON events (rank);
CREATE INDEX IF NOT EXISTS events_object ON events (object);
`;
const ADD_EVENT = `
INSERT INTO events (writer, sequence, hash, object, position, rank, depth, time, kind, actor, sources)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (writer, sequence) DO UPDATE SET object = excluded.object, position = excluded.position, hash = excluded.hash`;
const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
const READ_AT_ONCE = 32;
/** So many objects are in memory at a time. */
const SLICE = 64;

/**
 * What a ledger has, in a SQLite file of this machine, so that a few of many events are had without reading them all: by
 * kind, time, source and actor. It holds the objects as the repository has them, sealed, and rows that say where in them an
 * event is: a row can leave an event out, and never invent one. The file may be removed at any time.
 */
export class Projection {
  readonly #storage: LedgerStorage;
  readonly #database: DatabaseSync;

  private constructor(storage: LedgerStorage, database: DatabaseSync) {
    this.#storage = storage;
    this.#database = database;
  }

  /** @param file absolute; made for this user alone @throws what SQLite or the system says of it */
  static async open(storage: LedgerStorage, file: string): Promise<Projection> {
    await makeDirectories(dirname(file), DIRECTORY_MODE);
    closeSync(openSync(file, 'a', FILE_MODE));
    const database = new DatabaseSync(file);
    try {
      database.exec(SCHEMA);
    } catch (error) {
      database.close();
      throw error;
    }
    return new Projection(storage, database);
  }

  /** Removes what a projection kept. */
  static async remove(file: string): Promise<void> {
    for (const suffix of ['', '-wal', '-shm']) await rm(`${file}${suffix}`, { force: true });
  }

  close(): void {
    this.#database.close();
  }

  /**
   * Brings it to what is listed: what is new is read, what is gone is forgotten.
   * @throws repository-damaged when an event cannot be read, or events are missing or do not fit
   */
  async refresh(listed: readonly StoredLedgerObject[]): Promise<void> {
    const known = new Map(
      this.#database
        .prepare('SELECT key, size, modified FROM objects')
        .all()
        .map(({ key, size, modified }) => [key as string, `${size} ${modified}`]),
    );
    const fresh = listed.filter(
      ({ key, sizeBytes, modifiedMs }) => known.get(key) !== `${sizeBytes} ${Math.floor(modifiedMs)}`,
    );
    const visible = new Set(listed.map(({ key }) => key));
    const gone = [...known.keys()].filter((key) => !visible.has(key));
    const touched = new Set<string>();
    const isDay = ({ key }: StoredLedgerObject): number => (parseLedgerKey(key)?.form === 'day' ? 0 : 1);
    // Days are named by their dates: what is built on comes before, but for clocks that differ.
    fresh.sort(
      (a, b) => isDay(a) - isDay(b) || (isDay(a) === 0 ? (a.key < b.key ? -1 : 1) : a.modifiedMs - b.modifiedMs),
    );
    for (let at = 0; at < fresh.length; at += SLICE) {
      const slice = fresh.slice(at, at + SLICE);
      const read = await sideBySide(slice, READ_AT_ONCE, async (entry) => {
        const sealed = await this.#storage.get(entry.key);
        return { entry, sealed, events: openLedgerObject(this.#storage, entry.key, sealed) };
      });
      this.#transaction(() => this.#add(read, touched));
    }
    this.#transaction(() => {
      for (const key of gone) this.#forget(key, touched);
    });
    this.#assertWhole(touched);
  }

  /** Events that are asked for, oldest first. @throws repository-damaged when what is kept is not what it was */
  query(query: EventQuery): LedgerEvent[] {
    const { where, values } = conditions(query);
    const limit = query.limit === undefined ? '' : `LIMIT ${Math.floor(query.limit)}`;
    const order = 'ORDER BY rank DESC, depth DESC, writer DESC, sequence DESC';
    const rows = this.#database
      .prepare(`SELECT object, position FROM events ${where} ${order} ${limit}`)
      .all(...values);
    const sealed = this.#database.prepare('SELECT key, sealed FROM objects WHERE id = ?');
    const opened = new Map<number, Buffer[]>();
    const plainsOf = (object: number): Buffer[] => {
      const before = opened.get(object);
      if (before !== undefined) return before;
      const row = sealed.get(object);
      if (row === undefined) throw new Error('the projection of the ledger has lost an object');
      const key = row['key'] as string;
      const plains = eventBytes(key, unsealed(this.#storage, key, row['sealed'] as Uint8Array), true);
      opened.set(object, plains);
      return plains;
    };
    // Of what was kept each was read as an event: only those that are asked for are read again.
    const events = rows.flatMap(({ object, position }) => {
      const plain = plainsOf(object as number)[position as number];
      return plain === undefined ? [] : (JSON.parse(plain.toString('utf8')) as LedgerEvent);
    });
    return events.filter((event) => matches(event, query)).reverse();
  }

  #add(
    read: readonly { entry: StoredLedgerObject; sealed: Uint8Array; events: ReadEvent[] }[],
    touched: Set<string>,
  ): void {
    const database = this.#database;
    const addObject = database.prepare(
      'INSERT INTO objects (key, size, modified, sealed) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET size = excluded.size, modified = excluded.modified, sealed = excluded.sealed RETURNING id',
    );
    const addEvent = database.prepare(ADD_EVENT);
    const hashAt = database.prepare('SELECT hash FROM events WHERE writer = ? AND sequence = ?');
    const places = new Map<string, { object: number; position: number }>();
    for (const { entry, sealed, events } of read) {
      const row = addObject.get(entry.key, entry.sizeBytes, Math.floor(entry.modifiedMs), sealed);
      for (const [position, { hash }] of events.entries()) places.set(hash, { object: row!['id'] as number, position });
    }
    const events = read.flatMap((each) => each.events);
    const unique = [...new Map(events.map((each) => [each.hash, each])).values()];
    for (const { read: each, rank } of ranked(unique, this.#knownRanks(unique))) {
      const { event, hash } = each;
      const { writer, sequence, kind, actor, time } = event;
      touched.add(writer);
      const there = hashAt.get(writer, sequence)?.['hash'];
      if (there !== undefined && there !== hash) throw unfitting(writer, sequence);
      const { object, position } = places.get(hash)!;
      const sources = `\n${sourcesOf(event).join('\n')}\n`;
      addEvent.run(
        writer,
        sequence,
        hash,
        object,
        position,
        rank.timeMs,
        rank.depth,
        Date.parse(time) || 0,
        kind,
        actor,
        sources,
      );
    }
  }

  /** Where stands what events build on. @throws repository-damaged where an event is not the one that is built on */
  #knownRanks(events: readonly ReadEvent[]): (hash: string) => Rank | undefined {
    const own = new Set(events.map(({ hash }) => hash));
    const before = this.#database.prepare('SELECT hash, rank, depth FROM events WHERE writer = ? AND sequence = ?');
    const named = this.#database.prepare('SELECT hash, rank, depth FROM events WHERE writer = ? AND hash = ?');
    const ranks = new Map<string, Rank>();
    const note = (row: Record<string, unknown> | undefined): void => {
      if (row !== undefined)
        ranks.set(row['hash'] as string, { timeMs: row['rank'] as number, depth: row['depth'] as number });
    };
    for (const { event } of events) {
      const { writer, sequence, previous, heads } = event;
      if (basisOf(event).every((hash) => own.has(hash))) continue;
      if (previous !== null && !own.has(previous)) {
        const row = before.get(writer, sequence - 1);
        if (row !== undefined && row['hash'] !== previous) throw unfitting(writer, sequence);
        note(row);
      }
      for (const [other, hash] of Object.entries(heads)) if (!own.has(hash)) note(named.get(other, hash));
    }
    return (hash) => ranks.get(hash);
  }

  #forget(key: string, touched: Set<string>): void {
    const row = this.#database.prepare('SELECT id FROM objects WHERE key = ?').get(key);
    if (row === undefined) return;
    const id = row['id'] as number;
    const writers = this.#database.prepare('SELECT DISTINCT writer FROM events WHERE object = ?').all(id);
    for (const { writer } of writers) touched.add(writer as string);
    this.#database.prepare('DELETE FROM events WHERE object = ?').run(id);
    this.#database.prepare('DELETE FROM objects WHERE id = ?').run(id);
  }

  #assertWhole(writers: ReadonlySet<string>): void {
    const counted = this.#database.prepare(
      'SELECT count(*) AS count, max(sequence) AS last FROM events WHERE writer = ?',
    );
    for (const writer of writers) {
      const { count, last } = counted.get(writer) as { count: number; last: number | null };
      if (last !== null && count !== last + 1) throw unfitting(writer, last);
    }
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

function conditions({ kinds, sources, actor, sinceMs, untilMs }: EventQuery): {
  where: string;
  values: SQLInputValue[];
} {
  const parts: [string, SQLInputValue[]][] = [];
  if (kinds !== undefined) parts.push([`kind IN (${kinds.map(() => '?').join(', ')})`, [...kinds]]);
  if (sinceMs !== undefined) parts.push(['time >= ?', [sinceMs]]);
  if (untilMs !== undefined) parts.push(['time < ?', [untilMs]]);
  if (actor !== undefined) parts.push(['instr(actor, ?) > 0', [actor]]);
  if (sources !== undefined) {
    const each = sources.map(() => 'instr(sources, ?) > 0').join(' OR ');
    parts.push([`(${each || 'FALSE'})`, sources.map((name) => `\n${name}\n`)]);
  }
  const where = parts.length === 0 ? '' : `WHERE ${parts.map(([text]) => text).join(' AND ')}`;
  return { where, values: parts.flatMap(([, values]) => values) };
}

function unfitting(writer: string, sequence: number): HoldfastError {
  return new HoldfastError(
    'repository-damaged',
    `the ledger was changed or cut before event ${sequence} of writer ${writer}`,
    {
      hint: 'See what is wrong with `holdfast ledger verify`.',
      context: { writer, sequence },
    },
  );
}
