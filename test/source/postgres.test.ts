import { afterAll, describe } from 'vitest';
import type { Target } from '../../src/foundation/target.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { databaseTarget, sourceOf } from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';
import { type Amount, describeSource, type SourceUnderTest } from '../support/source-conformance.ts';

const FILLED: Record<Amount, string> = {
  nothing: 'select 1',
  some: `create table customers (id int primary key, name text not null);
    create table orders (id int primary key, customer int not null references customers, amount numeric);
    insert into customers select i, 'customer ' || i from generate_series(1, 50) i;
    insert into orders select i, 1 + i % 50, i from generate_series(1, 300) i;
    select lo_from_bytea(0, 'a large object')`,
  much: `create table readings (id int primary key, taken timestamptz, value text);
    insert into readings select i, to_timestamp(i), repeat(md5(i::text), 3) from generate_series(1, 60000) i`,
};

describe.skipIf(!requires('postgresql', 'pg_dump'))('a database', () => {
  let server: TestServer | undefined;
  afterAll(() => server?.stop());

  describeSource('PostgreSQL, logically,', async (): Promise<SourceUnderTest> => {
    server = await startTestServer();
    const { createDatabase, query, url } = server;
    let [living, made] = ['', 0];
    const newDatabase = async (sql = 'select 1'): Promise<string> => {
      const name = `database_${made++}`;
      await createDatabase(name, 'template template0');
      await query(name, sql);
      return name;
    };
    const databaseOf = (place: Target | undefined): string =>
      place === undefined ? living : place.kind === 'database' ? place.label : '';
    const contentsOf = async (name: string, relations = '%') => {
      const tables = await query(
        name,
        `select c.relname, query_to_xml(format('select * from %I.%I', n.nspname, c.relname), false, true, '')::text as rows
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'public' and c.relkind = 'r' and c.relname like $1 order by 1`,
        [relations],
      );
      const keys = await query(
        name,
        `select indexname from pg_indexes where tablename like $1 and schemaname = 'public' order by indexname`,
        [relations],
      );
      return { tables, keys };
    };
    const objectsOf = (name: string) => query(name, 'select lo_get(oid) from pg_largeobject_metadata');
    return {
      async source(amount) {
        living = await newDatabase(FILLED[amount]);
        return sourceOf(url(living), []);
      },
      gone: () => sourceOf(url('not_there'), []),
      details: {
        format: 'pg-directory-archive',
        tables: [
          { schema: 'public', name: 'customers', rows: 50 },
          { schema: 'public', name: 'orders', rows: 300 },
        ],
        largeObjects: { count: 1, bytes: 14 },
      },
      async place() {
        const name = await newDatabase();
        return { ...databaseTarget(url(name)), label: name };
      },
      wrongPlaces: [{ ...databaseTarget('redis://localhost/0'), label: 'Redis' }],
      async occupy(place) {
        await query(databaseOf(place), 'create table other (id int)');
      },
      contents: async (place) => [await contentsOf(databaseOf(place)), await objectsOf(databaseOf(place))],
      async alter(place) {
        await query(databaseOf(place), 'update orders set amount = amount + 1 where id = 7');
      },
      part: {
        only: ['public.orders'],
        contents: async () => [await contentsOf(living, 'orders'), []],
      },
    };
  });
});
