import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../../../test/support/postgres.ts';
import { requires } from '../../../../test/support/requirements.ts';
import { noProgress } from '../../../foundation/progress.ts';
import { strike } from './disaster.ts';
import { fillShop } from './fill.ts';
import { compareFingerprints, type DatabaseFingerprint, fingerprintDatabase } from './fingerprint.ts';
import { writeUploads } from './uploads.ts';

describe.skipIf(!requires('postgresql'))('the shop', () => {
  let server: TestServer;
  let rows: Record<string, number>;
  let filled: DatabaseFingerprint;

  beforeAll(async () => {
    server = await startTestServer();
    rows = await fillShop(server.adminUrl, 'shop', noProgress);
    filled = await fingerprintDatabase(server.url('shop'));
    // Copies of it are made by the server, which is faster than filling again.
    await server.query('postgres', 'alter database shop is_template true');
  });

  afterAll(() => server?.stop());

  async function copyOfShop(name: string): Promise<string> {
    return server.createDatabase(name, 'template shop');
  }

  it('has about 300,000 rows', () => {
    const total = Object.values(rows).reduce((sum, each) => sum + each);
    expect(total).toBeGreaterThan(290_000);
    expect(total).toBeLessThan(320_000);
    expect(filled).toMatchObject({ tables: 6, rows: total });
  });

  it('is the same on every run', async () => {
    await fillShop(server.adminUrl, 'again', noProgress);
    expect(compareFingerprints(filled, await fingerprintDatabase(server.url('again')))).toEqual([]);
  });

  it('adds up: orders are their items, payments are their orders, days are their payments', async () => {
    const [row] = await server.query(
      'shop',
      `select
         (select count(*) from orders where total <> (select sum(line_total) from order_items where order_id = orders.id)) as wrong_orders,
         (select count(*) from (select 1 from payments join orders on orders.id = order_id group by orders.id, total having sum(amount) <> total) as t) as wrong_payments,
         (select count(*) from (select order_id from payments group by order_id having count(*) > 1) as t) > 1000 as some_in_parts,
         (select sum(amount) from payments) = (select sum(revenue) from sales_per_day) as days_add_up,
         (select count(*) from customers where email !~ '^[a-z0-9.-]+@[a-z.]+$') as odd_addresses`,
    );
    expect(row).toEqual({
      wrong_orders: '0',
      wrong_payments: '0',
      some_in_parts: true,
      days_add_up: true,
      odd_addresses: '0',
    });
  });

  it('takes new rows where it left off', async () => {
    await copyOfShop('living');
    const [order] = await server.query(
      'living',
      'insert into orders (customer_id, total, ordered_at) values (1, 5, now()) returning id',
    );
    expect(order).toEqual({ id: '60001' });
    const [payment] = await server.query(
      'living',
      `insert into payments (order_id, method, amount, paid_at) values (60001, 'card', 5, now()) returning id = ${rows['payments']! + 1} as next`,
    );
    expect(payment).toEqual({ next: true });
    await server.query('living', `update orders set status = 'paid' where id = 60001`);
    expect(
      await server.query('living', `select payload->>'to' as "to" from events where kind = 'order.status'`),
    ).toEqual([{ to: 'paid' }]);
  });

  const CHANGES: [string, string, string[]][] = [
    [
      'one row more',
      `insert into events (kind, payload) values ('x', '{}')`,
      ['sequence public.events_id_seq', 'table public.events'],
    ],
    ['one row less', 'delete from order_items where order_id = 7 and position = 1', ['table public.order_items']],
    [
      'one value',
      `update products set attributes = attributes || '{"material": "glass"}' where id = 500`,
      ['table public.products'],
    ],
    [
      'null instead of empty',
      `update orders set note = '' where id = (select min(id) from orders where note is null)`,
      ['table public.orders'],
    ],
    [
      'two values swapped between rows',
      'update products set stock = (case id when 1 then (select stock from products where id = 2) else (select stock from products where id = 1) end) where id in (1, 2)',
      ['table public.products'],
    ],
    ['a sequence', `select setval('invoice_number_seq', 5)`, ['sequence public.invoice_number_seq']],
    ['an index', 'drop index orders_open_idx', ['index public.orders_open_idx']],
    [
      'a foreign key',
      'alter table payments drop constraint payments_order_id_fkey',
      ['constraint public.payments.payments_order_id_fkey'],
    ],
    [
      'a check',
      'alter table products drop constraint products_stock_check',
      ['constraint public.products.products_stock_check'],
    ],
    [
      'a trigger',
      'alter table orders disable trigger orders_status_change',
      ['trigger public.orders.orders_status_change'],
    ],
    [
      'a function',
      'create or replace function record_status_change() returns trigger language plpgsql as $$ begin return new; end $$',
      ['function public.record_status_change()'],
    ],
    [
      'a view',
      'create or replace view unpaid_orders as select id, customer_id, total, ordered_at from orders',
      ['view public.unpaid_orders'],
    ],
    [
      'a view not filled',
      'refresh materialized view sales_per_day with no data',
      ['materialised view public.sales_per_day'],
    ],
    ['an enum', `alter type order_status add value 'returned'`, ['enum public.order_status']],
    ['a default', 'alter table products alter column stock set default 1', ['columns public.products']],
    ['a column that may be null', 'alter table products alter column stock drop not null', ['columns public.products']],
    ['a domain', 'alter domain email_address drop constraint email_address_check', ['domain public.email_address']],
    ['a comment', 'comment on table payments is null', ['comment public.payments']],
    [
      'a table',
      'drop table events',
      [
        'columns public.events',
        'constraint public.events.events_pkey',
        'index public.events_payload_idx',
        'index public.events_pkey',
        'sequence public.events_id_seq',
        'table public.events',
      ],
    ],
    ['a schema', 'create schema extra', ['schema extra']],
  ];

  it.each(CHANGES)('has a fingerprint that shows %s', async (what, sql, expected) => {
    const name = what.replaceAll(' ', '_');
    const url = await copyOfShop(name);
    await server.query(name, sql);
    expect(namesOf(compareFingerprints(filled, await fingerprintDatabase(url)))).toEqual(expected);
    await server.query('postgres', `drop database ${name}`);
  });

  it('has a fingerprint that does not depend on the order of rows', async () => {
    const url = await copyOfShop('reordered');
    await server.query(
      'reordered',
      'create temp table t as select * from events order by id desc; truncate events; insert into events select * from t',
    );
    expect(compareFingerprints(filled, await fingerprintDatabase(url))).toEqual([]);
  });

  it('loses in the disaster what is reported as lost, and nothing else', async () => {
    const url = await copyOfShop('struck');
    const directory = mkdtempSync(join(tmpdir(), 'd-'));
    const uploads = await writeUploads(join(directory, 'uploads'));
    const lost = await strike(url, join(directory, 'uploads'));
    expect(lost.dropped).toMatchObject({ table: 'payments', rows: rows['payments'] });
    expect(lost.dropped.relations).toEqual(expect.arrayContaining(['payments', 'sales_per_day', 'unpaid_orders']));
    expect(lost.overwritten).toEqual({ table: 'customers', column: 'email', rows: 10_000, ofRows: 20_000 });
    expect(lost.deleted).toMatchObject({ files: uploads.files, links: 2 });
    const differences = compareFingerprints(filled, await fingerprintDatabase(url));
    expect(differences.filter(({ after }) => after !== undefined).map(({ name }) => name)).toEqual([
      'table public.customers',
    ]);
    const gone = differences.filter(({ after }) => after === undefined).map(({ name }) => name);
    expect(gone.filter((name) => !/payments|sales_per_day|unpaid_orders/.test(name))).toEqual([]);
    rmSync(directory, { recursive: true });
  });
});

function namesOf(differences: { name: string }[]): string[] {
  return differences.map(({ name }) => name);
}
