import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { settled } from '../../../foundation/promises.ts';

const CLIENTS = 3;
/** Between two orders of a client. */
const PAUSE_MS = 5;

const ORDER = `
with placed as (
  insert into orders (customer_id, status, total, ordered_at)
  select id, 'paid', 10 + id % 90, clock_timestamp() from customers order by random() limit 1
  returning id, total, ordered_at
)
insert into payments (order_id, method, amount, paid_at)
select id, 'card', total, ordered_at from placed returning order_id`;

/**
 * Orders come in from several clients until the signal is aborted.
 * @returns the ids of the orders that the database acknowledged, each paid in the same transaction
 */
export async function takeOrders(databaseUrl: string, until: AbortSignal): Promise<string[]> {
  const taken: string[] = [];
  const order = async (): Promise<void> => {
    const client = new pg.Client({ connectionString: databaseUrl });
    // What breaks the connection also fails the query.
    client.on('error', () => {});
    await client.connect();
    try {
      while (!until.aborted) {
        const { rows } = await client.query<{ order_id: string }>(ORDER);
        taken.push(...rows.map(({ order_id }) => order_id));
        await settled(sleep(PAUSE_MS, undefined, { signal: until }));
      }
    } finally {
      await client.end();
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, order));
  return taken;
}

/** Which of these orders are in a database. */
export async function findOrders(databaseUrl: string, ids: readonly string[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string }>(
      'select orders.id from orders join payments on payments.order_id = orders.id where orders.id = any($1::bigint[])',
      [ids],
    );
    return rows.map(({ id }) => id);
  } finally {
    await client.end();
  }
}
