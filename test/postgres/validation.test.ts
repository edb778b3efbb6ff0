import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import {
  type CapturedSnapshot,
  capture,
  failures,
  type PlannedChecks,
  restore,
  validate,
} from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

const SHOP = `
  CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, seen timestamptz);
  INSERT INTO customers SELECT n, 'name ' || n, '2024-05-06 07:08:09+00' FROM generate_series(1, 500) AS n;
  CREATE TABLE orders (id serial, customer int REFERENCES customers, total numeric CHECK (total > 0));
  INSERT INTO orders (customer, total) SELECT n, n FROM generate_series(1, 500) AS n;
  CREATE INDEX by_name ON customers (name);
  CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE VIEW v AS SELECT id FROM customers;
  CREATE MATERIALIZED VIEW m AS SELECT 1 AS one;
  GRANT SELECT ON customers TO reader;
  CREATE TABLE states (state varchar(9) CHECK (state IN ('new', 'done')), open bool GENERATED ALWAYS AS (state IN ('new')) STORED);
  CREATE INDEX open_states ON states (state) WHERE state IN ('new', 'open');
  CREATE VIEW done AS SELECT * FROM states WHERE state NOT IN ('new', 'open');
  SELECT lo_from_bytea(4711, 'contents'); SELECT lo_from_bytea(4712, 'more');`;

describe.skipIf(!requires('postgresql', 'pg_dump'))('the validation of a restored database', () => {
  let server: TestServer;
  let snapshot: CapturedSnapshot;
  let copies = 0;

  beforeAll(async () => {
    server = await startTestServer();
    await server.query('postgres', 'CREATE ROLE reader; CREATE ROLE other');
    const url = await server.createDatabase('shop');
    await server.query('shop', SHOP);
    snapshot = await capture(url);
    await restore(snapshot, server.url('restored'));
  });
  afterAll(() => server?.stop());

  /** Validates a copy of the restored database in which something was changed. */
  async function after(sql: string): Promise<string[]> {
    const name = `copy ${++copies}`;
    const url = await server.createDatabase(name, 'TEMPLATE restored');
    await server.query(name, sql);
    return failures(await validate(snapshot, url));
  }

  it('passes without a difference', async () => {
    expect(await after('SELECT 1')).toEqual([]);
  });

  it.each([
    [
      'a row that was changed',
      `UPDATE customers SET name = 'Name 7' WHERE id = 7`,
      /^rows public\.customers: .*digest/,
    ],
    [
      'values that two rows exchanged',
      `UPDATE customers SET name = 'name ' || (17 - id) WHERE id IN (8, 9)`,
      /^rows public\.customers/,
    ],
    [
      'a constraint that allows more',
      `ALTER TABLE states DROP CONSTRAINT states_state_check, ADD CHECK (state IN ('new', 'done', 'lost'))`,
      /^schema: TABLE public states differs/,
    ],
    [
      'a row that was deleted',
      'DELETE FROM orders WHERE id = 9',
      /^rows public\.orders: 499 rows, the snapshot has 500/,
    ],
    [
      'a row that is there twice',
      'INSERT INTO orders SELECT * FROM orders WHERE id = 9',
      /^rows public\.orders: 501 rows/,
    ],
    [
      'one row in the place of another',
      'DELETE FROM orders WHERE id = 9; INSERT INTO orders SELECT * FROM orders WHERE id = 8',
      /^rows public\.orders: .*digest/,
    ],
    ['an index that is gone', 'DROP INDEX by_name', /^schema: INDEX public by_name is missing/],
    [
      'a constraint that is gone',
      'ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey',
      /^schema: FK CONSTRAINT public orders orders_customer_fkey is missing/,
    ],
    [
      'a check that is gone',
      'ALTER TABLE orders DROP CONSTRAINT orders_total_check',
      /^schema: TABLE public orders differs/,
    ],
    [
      'a constraint that is not validated',
      'ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey, ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES customers NOT VALID',
      /^schema: FK CONSTRAINT/,
    ],
    [
      'a function that was changed',
      `CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'`,
      /^schema: FUNCTION public f\(\) differs/,
    ],
    [
      'a view that was changed',
      'CREATE OR REPLACE VIEW v AS SELECT id FROM customers WHERE id > 0',
      /^schema: VIEW public v differs/,
    ],
    ['a sequence that moved', `SELECT nextval('orders_id_seq')`, /^schema: SEQUENCE SET public orders_id_seq differs/],
    ['a large object that was changed', `SELECT lo_put(4711, 3, 'X')`, /^large objects: 2 of 2, contents differ/],
    ['a large object that is gone', 'SELECT lo_unlink(4712)', /^schema: BLOB 4712 is missing/],
    [
      'large objects that are all gone',
      'SELECT lo_unlink(4711); SELECT lo_unlink(4712)',
      /^schema: BLOB 4711 is missing/,
    ],
    [
      'large objects that exchanged their contents',
      `SELECT lo_unlink(4711); SELECT lo_unlink(4712); SELECT lo_from_bytea(4712, 'contents'); SELECT lo_from_bytea(4711, 'more')`,
      /^large objects: 2 of 2, contents differ/,
    ],
    ['a table too many', 'CREATE TABLE extra (i int)', /^schema: TABLE public extra was not in the snapshot/],
    ['a table that is gone', 'DROP TABLE orders', /^schema: .* public orders.* is missing/],
    ['a column too many', 'ALTER TABLE orders ADD COLUMN more text', /^schema: TABLE public orders differs/],
    [
      'a column of another name',
      'ALTER TABLE orders RENAME COLUMN total TO sum',
      /^schema: TABLE public orders differs/,
    ],
    [
      'a right that was revoked',
      'REVOKE SELECT ON customers FROM reader',
      /^schema: ACL public TABLE customers is missing/,
    ],
    ['a right that was granted', 'GRANT DELETE ON customers TO other', /^schema: ACL public TABLE customers differs/],
    ['another owner', 'ALTER TABLE customers OWNER TO other', /^schema: TABLE public customers differs/],
    [
      'a materialised view without its rows',
      'REFRESH MATERIALIZED VIEW m WITH NO DATA',
      /^schema: MATERIALIZED VIEW DATA public m is missing/,
    ],
  ])('finds %s', async (_, sql, expected) => {
    const found = await after(sql);
    expect(found).not.toEqual([]);
    expect(found[0]).toMatch(expected);
  });

  describe("of the plan's own checks", () => {
    const check = async (planned: PlannedChecks[number]) => {
      const checks = await validate(snapshot, server.url('restored'), [planned]);
      return checks.find(({ name }) => name === `validate: ${planned.name}`)!;
    };
    const sql = (text: string) => check({ kind: 'sql', name: 'asked', sql: text });
    afterEach(() => {
      delete process.env['HOLDFAST_TEST_SECRET'];
    });

    it.each([
      ['SELECT count(*) = 500 FROM customers', 'passed', 'gave t'],
      ['SELECT true::text', 'passed', 'gave true'],
      ['SELECT count(*) = 499 FROM customers', 'failed', 'gave f'],
      ['SELECT NULL::boolean', 'failed', 'gave null'],
      ['SELECT 1', 'failed', 'gave 1'],
      ['SELECT true UNION ALL SELECT true', 'failed', 'the query gave 2 values, one was expected'],
      ['SELECT true, true', 'failed', 'the query gave 2 values, one was expected'],
      ['SELECT true AS a, false AS a', 'failed', 'the query gave 2 values, one was expected'],
      ['SELECT true WHERE false', 'failed', 'the query gave 0 values, one was expected'],
      ['', 'failed', 'the query gave 0 values, one was expected'],
      ['SELECT true;', 'passed', 'gave t'],
      ['SELECT true; SELECT true', 'failed', expect.stringContaining('multiple commands')],
      ['SELECT no_such_column', 'failed', expect.stringContaining('"no_such_column" does not exist')],
      ['SELECT 1 / 0 = 1', 'failed', expect.stringContaining('division by zero')],
    ])('judges %j: %s', async (text, result, detail) => {
      expect(await sql(text)).toEqual({ name: 'validate: asked', result, detail });
    });

    it.each([
      'DELETE FROM orders RETURNING true',
      'COMMIT; DELETE FROM orders RETURNING true',
      'ROLLBACK; BEGIN READ WRITE; DELETE FROM orders RETURNING true; COMMIT; SELECT true',
      `SELECT set_config('transaction_read_only', 'off', false) = 'off'`,
      'CREATE TABLE made AS SELECT 1',
      `SELECT nextval('orders_id_seq') > 0`,
    ])('writes nothing with %j', async (text) => {
      const { result, detail } = await sql(text);
      expect(result).toBe('failed');
      expect(detail).toMatch(/read-only transaction|multiple commands|before any query/);
      expect(await server.query('restored', 'SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 500 }]);
    });

    const timeMs = () => snapshot.capture.timeMs;
    const within = (expression: string, withinMs: number) =>
      check({ kind: 'sql-within', name: 'recent', sql: `SELECT ${expression}`, withinMs });
    const literal = (awayMs: number) => `'${new Date(timeMs() + awayMs).toISOString()}'::timestamptz`;

    it.each([
      ['a time within', () => literal(-59_000), 'passed'],
      ['a time without', () => literal(-61_000), 'failed'],
      ['a time that is later', () => literal(59_000), 'passed'],
      ['a time that is much later', () => literal(61_000), 'failed'],
      ['a timestamp without zone, taken as UTC', () => `${literal(-59_000)} AT TIME ZONE 'UTC'`, 'passed'],
      ['a timestamp without zone, of another zone', () => `${literal(0)} AT TIME ZONE 'Asia/Tokyo'`, 'failed'],
      ['null', () => 'NULL::timestamptz', 'failed'],
      ['infinity', () => `'infinity'::timestamptz`, 'failed'],
      ['a time before Christ', () => `'0044-03-15 BC'::timestamptz`, 'failed'],
      ['what is no time', () => `'yesterday'::text`, 'failed'],
      ['a day that does not exist', () => `'2024-02-31'::text`, 'failed'],
    ])('compares %s with the recovery point', async (_, expression, result) => {
      expect(await within(expression(), 60_000)).toMatchObject({ result });
    });

    it('takes a date as its midnight in UTC', async () => {
      const date = `${literal(0)}::date`;
      expect(await within(date, 24 * 3_600_000)).toMatchObject({ result: 'passed' });
      expect(await within(`${date} - 2`, 24 * 3_600_000)).toMatchObject({ result: 'failed' });
    });

    it('says how far a time is away', async () => {
      const { detail } = await within(literal(-7_200_000), 60_000);
      expect(detail).toMatch(/is 2 h from the recovery point, 1 min are allowed$/);
    });

    const exec = (...words: string[]) => check({ kind: 'exec', name: 'run', exec: words });

    it('passes a program that exits 0, and finds the database by its environment', async () => {
      const look = 'const u = new URL(process.env.DATABASE_URL); process.exit(u.pathname === "/restored" ? 0 : 1)';
      expect(await exec(process.execPath, '-e', look)).toMatchObject({ result: 'passed' });
      const text = 'psql -XAtc "SELECT 1 / (count(*) = 500)::int FROM customers"';
      expect(await exec('sh', '-c', text)).toMatchObject({ result: 'passed' });
    });

    it('fails a program with what it said', async () => {
      const { result, detail } = await exec('sh', '-c', 'echo on the output; echo wrong totals >&2; exit 3');
      expect(result).toBe('failed');
      expect(detail).toContain('exit status 3');
      expect(detail).toContain('wrong totals');
    });

    it('fails a program that is not there', async () => {
      expect(await exec('no-such-program')).toMatchObject({ result: 'failed', detail: expect.stringMatching(/start/) });
    });

    it('gives a program nothing else of the environment', async () => {
      process.env['HOLDFAST_TEST_SECRET'] = 'x';
      expect(await exec('sh', '-c', 'test -z "$HOLDFAST_TEST_SECRET"')).toMatchObject({ result: 'passed' });
    });
  });
});
