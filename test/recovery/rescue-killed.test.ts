import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { adapters } from '../../src/main/adapters.ts';
import { type Environment, type Rescued, rescue } from '../../src/operations/index.ts';
import { LEDGER_PREFIX } from '../../src/repository/index.ts';
import type { Source } from '../../src/source/index.ts';
import { DecoratedStore } from '../../src/store/index.ts';
import { document, environment, holdfast, initialise } from '../support/cli.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

/** Where a run ends, as a kill ends it. All of it is back by then. */
type Deadly = 'before it is recorded' | 'before its mark goes' | 'once its mark is gone';
let deadly: Deadly | undefined;

class LedgerStore extends DecoratedStore {
  override async put(...call: Parameters<DecoratedStore['put']>): Promise<void> {
    if (deadly === 'before it is recorded' && call[0].startsWith(LEDGER_PREFIX)) throw new Error('killed');
    return this.inner.put(...call);
  }
}

function mortal(source: Source): Source {
  const release = source.release!.bind(source);
  source.release = async (...call) => {
    if (deadly === 'before its mark goes') throw new Error('killed');
    await release(...call);
    if (deadly === 'once its mark is gone') throw new Error('killed');
  };
  return source;
}

describe.skipIf(!requires('postgresql', 'pg_dump', 'redis'))(
  'a rescue that is killed once a server has everything',
  { timeout: 240_000 },
  () => {
    const directory = testDirectory();
    let server: TestServer;
    let [cache, target]: RedisServer[] = [];
    let passphrase: string;
    let number = 0;

    beforeAll(async () => {
      [server, cache, target] = await Promise.all([startTestServer(), RedisServer.start(), RedisServer.start()]);
      await server.createDatabase('shop');
      await server.query('shop', 'create table orders as select generate_series(1, 50) as id');
      for (let key = 0; key < 20; key++) await cache!.call('SET', `session:${key}`, 'x');
      const plan = {
        version: 1,
        name: 'shop',
        repositories: { main: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } } },
        sources: {
          db: { type: 'postgres', url: { env: 'DB_URL' }, method: 'logical' },
          cache: { type: 'redis', url: { env: 'CACHE_URL' } },
        },
      };
      writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(plan));
      await initialise(directory);
      const env = environment({ DB_URL: server.url('shop'), CACHE_URL: cache!.url });
      passphrase = document(await holdfast(directory, ['kit', '--json'], env)).passphrase;
      const taken = await holdfast(directory, ['backup'], env);
      expect(taken.exit, taken.stderr).toBe(0);
    }, 120_000);
    afterAll(async () => {
      await Promise.all([server?.stop(), cache?.stop(), target?.stop()]);
    });

    const marks = async (database: string): Promise<unknown[]> => [
      ...(await server.query(database, "select 1 from pg_namespace where nspname like 'holdfast%'")),
      ...((await target!.call('CONFIG', 'GET', 'masteruser')) as unknown[])
        .map(String)
        .filter((each) => /holdfast/.test(each)),
    ];

    it.each<Deadly>(['before it is recorded', 'before its mark goes', 'once its mark is gone'])(
      'is done when it is run again: %s',
      async (when) => {
        const database = `back_${++number}`;
        await server.createDatabase(database);
        await target!.call('FLUSHALL');
        const environmentHere: Environment = {
          ...{ clock: systemClock, version: '0.0.0', signal: new AbortController().signal, progress: () => noProgress },
          variables: environment(),
          adapters: {
            ...adapters,
            openStore: async (...given) => new LedgerStore(await adapters.openStore(...given)),
            createSource: async (...given) => mortal(await adapters.createSource(...given)),
          },
        };
        const back = mkdtempSync(join(tmpdir(), 'back-'));
        const request = {
          kit: { file: join(directory, 'holdfast-kit.age'), passphrase },
          to: [back, `db=${server.url(database)}`, `cache=${target!.url}`],
        };
        const run = (): Promise<Rescued> =>
          rescue(environmentHere, request, { copies: () => {}, points: () => {}, member: () => {} });
        deadly = when;
        const ended = await run().then(
          ({ members }) => members.map((member) => member.outcome === 'failed' && member.error.message),
          ({ message }: Error) => [message],
        );
        deadly = undefined;
        expect(new Set(ended)).toEqual(new Set(['killed']));
        expect(await server.query(database, 'select count(*)::int from orders')).toEqual([{ count: 50 }]);
        target!.leave();
        const { members } = await run();
        expect(
          members.map(({ outcome }) => outcome),
          JSON.stringify(members),
        ).toEqual(['complete', 'complete']);
        expect(await server.query(database, 'select count(*)::int from orders')).toEqual([{ count: 50 }]);
        expect(await target!.call('DBSIZE')).toBe(20);
        expect(await marks(database)).toEqual([]);
      },
    );
  },
);
