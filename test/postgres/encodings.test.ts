import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { capture, dumpText, failures, restore, validate } from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

/** Names that only wildcards could stand for, beside things that such a wildcard would match too. */
const NAMES = String.raw`
  CREATE TABLE "é" (id serial, "naïve" text);
  INSERT INTO "é" ("naïve") SELECT 'ü' || n FROM generate_series(1, 100) AS n;
  CREATE SEQUENCE "è" START 5; SELECT nextval('"è"'); SELECT nextval('"è"');
  CREATE MATERIALIZED VIEW "ê" AS SELECT count(*) FROM "é";
  CREATE SCHEMA "ö"; CREATE TABLE "ö"."prénom\x"" *?[a]" (a int);
  INSERT INTO "ö"."prénom\x"" *?[a]" VALUES (1);
  CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'é' $$;`;

describe.skipIf(!requires('postgresql', 'pg_dump'))('a database with names beyond ASCII', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server?.stop());

  it.each(['UTF8', 'LATIN1', 'WIN1252', 'EUC_JIS_2004', 'SQL_ASCII'])(
    'survives the round trip in %s',
    async (encoding) => {
      const options = `TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`;
      const url = await server.createDatabase(`db ${encoding}`, options);
      await server.query(`db ${encoding}`, encoding === 'EUC_JIS_2004' ? japanese(NAMES) : NAMES);
      const snapshot = await capture(url);
      const { problems, manifest } = snapshot.capture;
      expect(problems).toEqual([]);
      expect(manifest.details).toMatchObject({ encoding, tables: [{ rows: 100 }, { rows: 1 }] });
      const target = server.url(`copy of ${encoding}`);
      await restore(snapshot, target);
      expect(await dumpText(target)).toBe(await dumpText(url));
      expect(failures(await validate(snapshot, target))).toEqual([]);
    },
  );

  it('tells definitions apart that differ in one letter beyond ASCII', async () => {
    const url = await server.createDatabase(
      'letters',
      `TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    await server.query('letters', NAMES);
    const snapshot = await capture(url);
    await server.query('letters', `CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'è' $$`);
    expect(failures(await validate(snapshot, url))).toEqual([
      expect.stringMatching(/^schema: FUNCTION public f\(\) differs/),
    ]);
  });

  it('is restored into a database in UTF-8 that is there', async () => {
    const url = await server.createDatabase('old', `TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
    await server.query('old', NAMES);
    const snapshot = await capture(url);
    const target = await server.createDatabase('new', `TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`);
    await restore(snapshot, target);
    expect(await server.query('new', 'SELECT "naïve" FROM "é" WHERE id = 7')).toEqual([{ naïve: 'ü7' }]);
    expect(failures(await validate(snapshot, target))).toEqual([]);
  });
});

/** The same with letters of two and of three bytes. */
function japanese(sql: string): string {
  return sql.replace(/[éèêïüö]/g, (letter) => ({ é: '日', è: '本', ê: '語', ï: '丂', ü: '字', ö: 'カ' })[letter]!);
}
