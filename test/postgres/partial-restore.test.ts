import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import {
  type CapturedSnapshot,
  capture,
  databaseTarget,
  dumpText,
  failure,
  restore,
} from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

const SHOP = `
  CREATE EXTENSION pg_trgm;
  CREATE TYPE public.state AS ENUM ('new', 'paid');
  CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := ''stamped''; RETURN NEW; END';
  CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
  CREATE INDEX by_name ON customers (lower(name));
  INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 100) AS n;
  CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers, state state DEFAULT 'new', note text CHECK (note <> ''));
  CREATE TRIGGER stamped BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION stamp();
  CREATE INDEX orders_by_state ON orders (state);
  COMMENT ON COLUMN orders.note IS 'a comment';
  INSERT INTO orders (customer, note) SELECT n, 'order ' || n FROM generate_series(1, 100) AS n;
  CREATE TABLE items (id int PRIMARY KEY, "order" int REFERENCES orders);
  INSERT INTO items SELECT n, n FROM generate_series(1, 50) AS n;
  CREATE TABLE measured (day date, value int) PARTITION BY RANGE (day);
  CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  CREATE TABLE measured_2 PARTITION OF measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE INDEX ON measured (value);
  INSERT INTO measured SELECT '2024-01-01'::date + n, n FROM generate_series(1, 700) AS n;
  CREATE TABLE deep (id int PRIMARY KEY) PARTITION BY RANGE (id);
  CREATE TABLE deep_1 PARTITION OF deep FOR VALUES FROM (0) TO (9) PARTITION BY RANGE (id);
  CREATE TABLE deep_11 PARTITION OF deep_1 FOR VALUES FROM (0) TO (5);
  INSERT INTO deep VALUES (1);
  CREATE TABLE parent (a int);
  CREATE TABLE child () INHERITS (parent);
  ALTER TABLE parent ADD CHECK (a > 0) NOT VALID;
  CREATE SCHEMA sales;
  CREATE TABLE sales.leads (id int GENERATED ALWAYS AS IDENTITY, customer int REFERENCES customers, state state);
  INSERT INTO sales.leads (customer, state) SELECT n, 'paid' FROM generate_series(1, 30) AS n;
  CREATE VIEW sales.known AS SELECT l.id, c.name FROM sales.leads AS l JOIN public.customers AS c ON c.id = l.customer;
  CREATE TABLE "sales.leads" (id int);
  GRANT SELECT ON sales.leads TO seller;
  GRANT SELECT ON customers TO reader;`;

describe.skipIf(!requires('postgresql', 'pg_dump'))('the restore of a part of a database', () => {
  let server: TestServer;
  let snapshot: CapturedSnapshot;
  let copies = 0;

  beforeAll(async () => {
    server = await startTestServer();
    await server.query('postgres', 'CREATE ROLE seller; CREATE ROLE reader');
    const url = await server.createDatabase('shop');
    await server.query('shop', SHOP);
    snapshot = await capture(url);
  });
  afterAll(() => server?.stop());

  async function restored(...only: string[]): Promise<{ database: string; notes: string[]; tables: string[] }> {
    const database = `part ${++copies}`;
    const { notes } = await restore(snapshot, server.url(database), { selection: { only } });
    const rows = await server.query(
      database,
      `SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname IN ('public', 'sales') ORDER BY 1`,
    );
    return { database, notes, tables: rows.map(({ name }) => String(name)) };
  }

  const count = async (database: string, sql: string): Promise<unknown> =>
    (await server.query(database, `SELECT count(*)::int AS count FROM ${sql}`))[0]!['count'];

  it('brings one table with its rows, indexes, triggers and comments, and the types and functions that it needs', async () => {
    const { database, notes, tables } = await restored('public.orders');
    expect(tables).toEqual(['public.orders']);
    expect(await server.query(database, 'SELECT * FROM orders ORDER BY id')).toEqual(
      await server.query('shop', 'SELECT * FROM orders ORDER BY id'),
    );
    expect(await server.query(database, `UPDATE orders SET note = 'x' WHERE id = 1 RETURNING note`)).toEqual([
      { note: 'stamped' },
    ]);
    expect(await server.query(database, `INSERT INTO orders (customer) VALUES (1000) RETURNING id`)).toEqual([
      { id: 101 },
    ]);
    expect(await count(database, `pg_indexes WHERE tablename = 'orders'`)).toBe(2);
    expect(await count(database, `pg_description WHERE description = 'a comment'`)).toBe(1);
    expect(await count(database, `pg_extension WHERE extname = 'pg_trgm'`)).toBe(0);
    expect(notes).toEqual([
      'FK CONSTRAINT public orders orders_customer_fkey was left out: it needs a table that was not asked for',
    ]);
  });

  it('keeps a foreign key where both of its tables are asked for', async () => {
    const { database, notes, tables } = await restored('public.orders', 'public.cust*');
    expect(tables).toEqual(['public.customers', 'public.orders']);
    expect(notes).toEqual([]);
    expect(await count(database, `pg_constraint WHERE contype = 'f'`)).toBe(1);
  });

  it('brings a partitioned table with its partitions, and one partition below its empty table', async () => {
    const { database, notes, tables } = await restored('public.measured');
    expect(tables).toEqual(['public.measured', 'public.measured_1', 'public.measured_2']);
    expect([notes, await count(database, 'measured')]).toEqual([[], 700]);
    expect(await count(database, `pg_indexes WHERE schemaname = 'public'`)).toBe(3);
    const alone = await restored('public.measured_1');
    expect(alone.tables).toEqual(['public.measured', 'public.measured_1']);
    expect(await count(alone.database, 'measured')).toBe(365);
    expect(alone.notes).toEqual(['public.measured was made without its rows: something that was asked for needs it']);
    const { database: family } = await restored('public.child');
    expect(await count(family, `pg_constraint WHERE contype = 'c' AND conrelid = 'child'::regclass`)).toBe(1);
    const deep = await restored('public.deep_11');
    expect(deep.tables).toEqual(['public.deep', 'public.deep_1', 'public.deep_11']);
    expect(await count(deep.database, 'deep')).toBe(1);
    expect(deep.notes.toSorted()).toEqual(
      ['deep', 'deep_1'].map(
        (name) => `public.${name} was made without its rows: something that was asked for needs it`,
      ),
    );
  });

  it('brings a schema, with the tables that its views need, without their rows', async () => {
    const { database, notes, tables } = await restored('sales');
    expect(tables).toEqual(['public.customers', 'sales.leads']);
    expect([await count(database, 'sales.leads'), await count(database, 'customers')]).toEqual([30, 0]);
    expect(await count(database, `sales.known`)).toBe(0);
    expect(await count(database, `information_schema.role_table_grants WHERE grantee = 'seller'`)).toBe(1);
    expect(notes).toEqual([
      'public.customers was made without its rows: something that was asked for needs it',
      'FK CONSTRAINT sales leads leads_customer_fkey was left out: it needs a table that was not asked for',
    ]);
  });

  describe('under another name, in a database that lives', () => {
    /** A database as it was captured, in which something was done since. */
    async function living(since = 'SELECT 1'): Promise<string> {
      const database = `living ${++copies}`;
      await server.createDatabase(database, 'TEMPLATE shop');
      await server.query(database, since);
      return database;
    }

    async function beside(database: string, only: string, as: string): Promise<string[]> {
      const sandbox = databaseTarget(await server.createDatabase(`sandbox ${++copies}`), true);
      const options = { selection: { only: [only] }, as, sandbox };
      return (await restore(snapshot, server.url(database), options)).notes;
    }

    const rowsOf = (database: string, table: string) =>
      server.query(database, `SELECT * FROM ${table} AS t ORDER BY 1`);

    it('is a table of its own, with all that belongs to it, and touches nothing that is there', async () => {
      const database = await living(
        `DELETE FROM items; DELETE FROM orders WHERE id > 10; UPDATE orders SET note = 'x'`,
      );
      const before = await dumpText(server.url(database));
      const notes = await beside(database, 'public.orders', 'orders_restored');
      expect(notes).toEqual([
        'FK CONSTRAINT public orders orders_customer_fkey was left out: it needs a table that was not asked for',
        'FK CONSTRAINT public items items_order_fkey leads to public.orders: nothing leads to public.orders_restored',
      ]);
      expect(await rowsOf(database, 'orders_restored')).toEqual(await rowsOf('shop', 'orders'));
      const sql = `SELECT c.relname AS name FROM pg_class AS c WHERE c.relname LIKE 'orders_rest%' ORDER BY 1`;
      expect((await server.query(database, sql)).map(({ name }) => name)).toEqual([
        'orders_restored',
        'orders_restored_by_state',
        'orders_restored_id_seq',
        'orders_restored_pkey',
      ]);
      // Its sequence goes on where it was, and is no other table's.
      const insert = `INSERT INTO orders_restored (customer) VALUES (1000) RETURNING id`;
      expect(await server.query(database, insert)).toEqual([{ id: 101 }]);
      const update = `UPDATE orders_restored SET note = 'x' WHERE id = 1 RETURNING note`;
      expect(await server.query(database, update)).toEqual([{ note: 'stamped' }]);
      await expect(server.query(database, `INSERT INTO orders_restored (id, note) VALUES (500, '')`)).rejects.toThrow(
        'violates check constraint',
      );
      expect(await count(database, `pg_description WHERE description = 'a comment'`)).toBe(2);
      await server.query(database, 'DROP TABLE orders_restored');
      expect(await dumpText(server.url(database))).toBe(before);
    });

    it('has again what it needs and what was dropped with it', async () => {
      const database = await living('DROP TABLE orders CASCADE; DROP TYPE state CASCADE; DROP FUNCTION stamp');
      const notes = await beside(database, 'public.orders', 'archive.orders');
      expect(notes.slice(-3).toSorted()).toEqual([
        'FUNCTION public stamp() was not there any more, and was made: it is needed',
        'SCHEMA archive was not there any more, and was made: it is needed',
        'TYPE public state was not there any more, and was made: it is needed',
      ]);
      expect(await rowsOf(database, 'archive.orders')).toEqual(await rowsOf('shop', 'orders'));
      expect(await count(database, `pg_indexes WHERE schemaname = 'archive' AND indexname = 'orders_by_state'`)).toBe(
        1,
      );
    });

    it('is a partitioned table with its partitions, or one of these alone', async () => {
      const database = await living('TRUNCATE measured');
      expect(await beside(database, 'public.measured', 'measured back')).toEqual([]);
      expect(await rowsOf(database, '"measured back"')).toEqual(await rowsOf('shop', 'measured'));
      expect(await count(database, '"measured back_2"')).toBe(335);
      const notes = await beside(database, 'public.measured_1', 'first');
      expect(notes).toEqual(['public.first is no part of public.measured, as public.measured_1 was']);
      expect([await count(database, 'first'), await count(database, 'measured')]).toEqual([365, 0]);
    });

    it('is a whole schema', async () => {
      const database = await living('DELETE FROM sales.leads');
      const notes = await beside(database, 'sales', 'sales_before');
      expect(notes[0]).toMatch(/FK CONSTRAINT sales leads leads_customer_fkey was left out/);
      expect(await rowsOf(database, 'sales_before.leads')).toEqual(await rowsOf('shop', 'sales.leads'));
      expect([await count(database, 'sales.leads'), await count(database, 'sales_before.known')]).toEqual([0, 30]);
      expect(await count(database, `information_schema.role_table_grants WHERE grantee = 'seller'`)).toBe(2);
    });

    it('is refused where a name is taken, and leaves nothing behind', async () => {
      const database = await living('CREATE VIEW part_1 AS SELECT 1; CREATE TABLE keyed_pkey ()');
      const before = await dumpText(server.url(database));
      for (const [only, as, taken] of [
        ['public.orders', 'customers', 'public.customers'],
        ['public.measured', 'part', 'public.part_1'],
        ['public.orders', 'keyed', 'public.keyed_pkey'],
        ['sales', 'public', 'a schema public'],
      ]) {
        const error = await failure(beside(database, only!, as!));
        expect(error).toMatchObject({
          code: 'target-not-empty',
          message: expect.stringContaining(`has ${taken} already`),
        });
        expect(error.hint).toContain('Nothing was changed');
      }
      expect(await dumpText(server.url(database))).toBe(before);
    });

    it('leaves nothing behind where its rows do not fit what is there', async () => {
      const database = await living(
        `DROP SCHEMA sales CASCADE; ALTER TYPE state RENAME VALUE 'paid' TO 'settled'; CREATE SCHEMA sales`,
      );
      const before = await dumpText(server.url(database));
      const error = await failure(beside(database, 'sales.leads', 'leads_before'));
      expect(error).toMatchObject({ code: 'target-failed', message: expect.stringContaining('"paid"') });
      expect(error.hint).toContain('Nothing was changed');
      expect(await dumpText(server.url(database))).toBe(before);
    });

    it('is one table or one schema', async () => {
      const database = await living('DROP TABLE customers CASCADE');
      const codes = [];
      for (const [only, as] of [
        ['public.measured*', 'x'],
        ['sales.known', 'x'],
        ['nothing', 'x'],
        ['sales', 'a.b'],
        ['public.items', ''],
      ]) {
        codes.push((await failure(beside(database, only!, as!))).code);
      }
      expect(codes).toEqual(['bad-usage', 'source-unsupported', 'path-missing', 'bad-usage', 'bad-usage']);
      // A view of the schema reads a table that is not there any more.
      expect(await failure(beside(database, 'sales', 'sales_before'))).toMatchObject({
        code: 'target-unsuitable',
        message: expect.stringContaining('needs public.customers'),
      });
    });
  });

  it('refuses what names nothing before it writes anything', async () => {
    const error = await failure(restore(snapshot, server.url('never'), { selection: { only: ['public.nothing'] } }));
    expect(error.code).toBe('path-missing');
    expect(await count('postgres', `pg_database WHERE datname = 'never'`)).toBe(0);
    const directory = { kind: 'directory', path: '/nowhere' } as const;
    expect((await failure(restore(snapshot, directory, { selection: { only: ['sales'] } }))).code).toBe('bad-usage');
  });
});
