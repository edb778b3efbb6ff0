import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noProgress } from '../../src/foundation/progress.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { capture, restore } from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

/** Money moves between two tables, each move a transaction that is noted in a third; beside it a sequence counts. */
const BANK = `
  CREATE TABLE ours (id int PRIMARY KEY, amount int NOT NULL, filler text);
  CREATE TABLE theirs (id int PRIMARY KEY, amount int NOT NULL, filler text);
  CREATE TABLE moves (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp());
  INSERT INTO ours SELECT n, 1000, repeat('x', 500) FROM generate_series(1, 5000) AS n;
  INSERT INTO theirs SELECT n, 1000, repeat('y', 500) FROM generate_series(1, 5000) AS n;`;

describe.skipIf(!requires('postgresql', 'pg_dump'))('a capture while others write', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server?.stop());

  it('is of one moment across all tables, and has nothing from after it', async () => {
    const url = await server.createDatabase('bank');
    await server.query('bank', BANK);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    let last = 0;
    let going = true;
    const writing = (async () => {
      while (going) {
        const id = 1 + (last % 5000);
        await client.query(
          `BEGIN; UPDATE ours SET amount = amount - 7 WHERE id = ${id}; UPDATE theirs SET amount = amount + 7 WHERE id = ${id};
           INSERT INTO moves (id) VALUES (${last + 1}); COMMIT`,
        );
        last++;
      }
    })();
    try {
      for (let attempt = 1; attempt <= 4; attempt++) {
        const before = last;
        let atSnapshot = 0;
        const phase = (name: string): void => {
          if (name === 'copying tables') atSnapshot = last;
        };
        const snapshot = await capture(url, { progress: { ...noProgress, phase } });
        expect(last).toBeGreaterThan(atSnapshot);
        await restore(snapshot, server.url(`copy ${attempt}`));
        const [found] = await server.query(
          `copy ${attempt}`,
          `SELECT (SELECT sum(amount) FROM ours)::int AS ours, (SELECT sum(amount) FROM theirs)::int AS theirs,
             count(*)::int AS moves, max(id) AS newest, count(*) FILTER (WHERE at > $1)::int AS later FROM moves`,
          // The clock of the server was measured, over a connection that takes its time.
          [new Date(snapshot.capture.timeMs + 100)],
        );
        const { moves } = found as { moves: number };
        expect(found).toEqual({
          ours: 5_000_000 - 7 * moves,
          theirs: 5_000_000 + 7 * moves,
          moves,
          newest: moves,
          later: 0,
        });
        const earlier = new Date(snapshot.capture.timeMs - 100);
        const [known] = await server.query('bank', 'SELECT count(*)::int AS n FROM moves WHERE at < $1', [earlier]);
        expect(known!['n']).toBeLessThanOrEqual(moves);
        // One more may have been committed whose answer was on its way.
        expect(moves).toBeGreaterThanOrEqual(before);
        expect(moves).toBeLessThanOrEqual(atSnapshot + 1);
      }
    } finally {
      going = false;
      await writing;
      await client.end();
    }
  });
});
