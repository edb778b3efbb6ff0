import { parseLocation } from './location.ts';
import { Session } from './session.ts';

/** So many rows are asked for at a time. */
const ROWS_AT_A_TIME = 10_000;

/**
 * The first column of each row that a query gives, as PostgreSQL writes it. It only reads.
 * @throws target-failed
 */
export async function* queryColumn(url: string, sql: string, signal: AbortSignal): AsyncGenerator<string | null> {
  const session = await Session.open(parseLocation(url), { side: 'target', signal, settings: 'plain' });
  try {
    await session.query('begin a transaction', 'BEGIN READ ONLY');
    // One statement and no more: a second one could end the transaction.
    await session.values('run the query', `DECLARE asked NO SCROLL CURSOR FOR ${sql}`);
    for (;;) {
      const rows = await session.query('read rows', `FETCH ${ROWS_AT_A_TIME} FROM asked`);
      for (const row of rows) yield Object.values(row)[0] ?? null;
      if (rows.length < ROWS_AT_A_TIME) return;
    }
  } finally {
    await session.close();
  }
}
