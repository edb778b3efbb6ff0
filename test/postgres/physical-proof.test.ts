import { mkdirSync, openSync, readSync, symlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { parseLocation } from '../../src/source/postgres/location.ts';
import { checkStructure, findAmcheck } from '../../src/source/postgres/physical/amcheck.ts';
import { lookAtContents } from '../../src/source/postgres/physical/contents.ts';
import { Session } from '../../src/source/postgres/session.ts';
import { document, holdfast, plannedCluster } from '../support/cli.ts';
import {
  initialiseDirectory,
  type StartedDirectory,
  serverDirectory,
  startDirectory,
} from '../support/data-directory.ts';
import { PhysicalRepository } from '../support/physical.ts';
import { failures } from '../support/postgres-source.ts';
import { requires } from '../support/requirements.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const SETTINGS = { wal_level: 'replica', autovacuum: 'off' };
const PAGE_BYTES = 8192;
const PAGE_HEADER_BYTES = 24;
const ITEM_POINTER_BYTES = 4;

/** Lets two entries of the first leaf of an index change places. */
function swapEntries(path: string): void {
  const file = openSync(path, 'r+');
  const at = PAGE_BYTES + PAGE_HEADER_BYTES + 10 * ITEM_POINTER_BYTES;
  const pair = Buffer.alloc(2 * ITEM_POINTER_BYTES);
  readSync(file, pair, 0, pair.length, at);
  const swapped = Buffer.concat([pair.subarray(ITEM_POINTER_BYTES), pair.subarray(0, ITEM_POINTER_BYTES)]);
  writeSync(file, swapped, 0, swapped.length, at);
}

describe.skipIf(!requires('postgresql'))('the proof of a cluster with a broken index', { timeout: 120_000 }, () => {
  let server: StartedDirectory;
  let planned: Awaited<ReturnType<typeof plannedCluster>>;

  beforeAll(async () => {
    const data = await initialiseDirectory(BIN, { pageChecksums: false });
    server = await startDirectory(BIN, data, { settings: SETTINGS });
    await server.query(
      'create table orders as select i as id, md5(i::text) as content from generate_series(1, 5000) i',
    );
    await server.query('create index orders_by_id on orders (id)');
    await server.query('checkpoint');
    const [row] = await server.query(`select pg_relation_filepath('orders_by_id') as path`);
    await server.stop();
    swapEntries(join(data, String(row?.['path'])));
    server = await startDirectory(BIN, data, { settings: SETTINGS });
  });
  afterAll(() => settled(server.stop()));

  async function backedUp(): Promise<void> {
    planned = await plannedCluster(server.url('postgres'));
    expect((await run(['backup'])).exit).toBe(0);
  }
  const run = (words: string[], binDirectory = BIN) =>
    holdfast(planned.directory, words, { ...planned.env, HOLDFAST_POSTGRES_BIN: binDirectory });

  it('fails and names the index, though every row can be read', async () => {
    await backedUp();
    const verified = await run(['verify', '--json']);
    const [proof] = document(verified).proofs;
    expect(verified.exit).toBe(4);
    expect(proof).toMatchObject({ state: 'failed', checksFailed: ['heaps and indexes of postgres'] });
    const found = proof.checks.find(({ name }: { name: string }) => name === 'heaps and indexes of postgres');
    expect(found.detail).toContain('orders_by_id');
    expect(proof.checks).toContainEqual(expect.objectContaining({ name: 'tables of postgres', result: 'passed' }));
  });

  it('is proven without pg_amcheck, and says what was not checked', async () => {
    await backedUp();
    const without = join(await serverDirectory(), 'bin');
    mkdirSync(without);
    for (const name of ['initdb', 'postgres']) symlinkSync(join(BIN, name), join(without, name));
    const [proof] = document(await run(['verify', '--json'], without)).proofs;
    expect(proof).toMatchObject({
      state: 'proven',
      notes: [expect.stringMatching(/not checked: pg_amcheck.*Install/)],
    });
  });

  it('does not judge the order of an index where texts are sorted otherwise', async () => {
    await server.query(`update pg_database set datcollversion = '0.1' where datname = 'postgres'`);
    await backedUp();
    const [proof] = document(await run(['verify', '--json'])).proofs;
    expect(proof).toMatchObject({ state: 'proven', notes: [expect.stringMatching(/indexes of postgres were not/)] });
    await server.query(`update pg_database set datcollversion = null where datname = 'postgres'`);
  });
});

describe.skipIf(!requires('postgresql'))('what a cluster must come back with', { timeout: 120_000 }, () => {
  let server: StartedDirectory;
  let id: string;
  let details: Record<string, unknown>;
  const repository = new PhysicalRepository();

  beforeAll(async () => {
    server = await startDirectory(BIN, await initialiseDirectory(BIN), { settings: SETTINGS });
    await server.query('create database shop');
    await server.query(`create table orders as select i from generate_series(1, 2000) i;
      create table "Odd name" as select i from generate_series(1, 500) i;
      create table gone (); create unlogged table cache as select i from generate_series(1, 2000) i;
      select pg_stat_force_next_flush()`);
    const { capture, id: taken } = await repository.backup(server.url('postgres'));
    id = taken;
    details = capture.manifest.details;
  });
  afterAll(() => settled(server.stop()));

  const validated = async (): Promise<string[]> =>
    failures(await repository.validate(id, server.url('postgres'))).sort();

  it('is in the manifest: databases, tables, and about how many rows', async () => {
    expect(details['contents']).toEqual({
      databases: expect.arrayContaining(['postgres', 'shop', 'template0', 'template1']),
      tables: [
        { name: 'public.orders', rows: 2000 },
        { name: 'public."Odd name"', rows: 500 },
        { name: 'public.gone' },
        { name: 'public.cache' },
      ],
      isCapped: false,
    });
    expect(await validated()).toEqual([]);
  });

  it('is of another cluster, or of one that did not come as far as its backup, and fails then', async () => {
    const recovery = async (otherwise: object) =>
      (await repository.validate(id, server.url('postgres'), otherwise)).find(({ name }) => name === 'recovery');
    expect(await recovery({})).toMatchObject({ result: 'passed' });
    expect(await recovery({ systemIdentifier: '1' })).toMatchObject({
      ...{ result: 'failed', detail: expect.stringMatching(/^the cluster is \d+, and 1 was captured/) },
    });
    expect(await recovery({ stopLsn: 'FF/0' })).toMatchObject({
      ...{ result: 'failed', detail: expect.stringMatching(/the backup ends at FF\/0$/) },
    });
  });

  it('is named up to a limit, and says so where there is more', async () => {
    const session = await Session.open(parseLocation(server.url('postgres')), {
      side: 'source',
      signal: new AbortController().signal,
    });
    const look = async (most: number) => {
      const { tables, isCapped } = await lookAtContents(session, most);
      return [tables.size, isCapped];
    };
    try {
      expect([await look(3), await look(4)]).toEqual([
        [3, true],
        [4, false],
      ]);
    } finally {
      await session.close();
    }
  });

  it('is looked at by pg_amcheck whatever the cluster has to say to that', async () => {
    await server.query(`drop extension if exists amcheck; create extension amcheck version '1.0';
      create function refuse() returns event_trigger language plpgsql as $$ begin raise exception 'nobody'; end $$;
      create event trigger at_ddl on ddl_command_start execute function refuse()`);
    const checks = await repository.validate(id, server.url('postgres'));
    const sound = checks.filter(({ name, result }) => name.startsWith('heaps and indexes') && result === 'passed');
    expect(sound.map(({ name }) => name.split(' ').at(-1))).toEqual(['postgres', 'shop', 'template1']);
    await server.query('drop event trigger at_ddl');
  });

  it('is looked at by pg_amcheck for as long as it takes', async () => {
    await server.query('create role hurried superuser login; alter role hurried set statement_timeout = 1');
    const amcheck = await findAmcheck(15);
    const { signal } = new AbortController();
    const location = parseLocation(server.url('postgres', 'hurried'));
    expect(await checkStructure(location, 'path' in amcheck ? amcheck.path : '', signal)).toMatchObject({
      check: { result: 'passed' },
      notes: [],
    });
    await server.query('drop role hurried');
  });

  it('fails where a database or a table is missing, or one is empty that was full', async () => {
    await server.query('truncate cache; truncate "Odd name"');
    expect(await validated()).toEqual([]);
    await server.query('drop table gone; delete from orders');
    await server.query('drop database shop');
    expect(await validated()).toEqual([
      expect.stringMatching(/^databases: missing.*: shop$/),
      expect.stringMatching(/^rows of postgres: empty.*: public\.orders$/),
      expect.stringMatching(/^tables of postgres by name: missing.*: public\.gone$/),
    ]);
  });
});
