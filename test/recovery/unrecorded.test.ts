import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { adapters } from '../../src/main/adapters.ts';
import { backup, compare, Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { restore } from '../../src/recovery/steps/restore/index.ts';
import { LEDGER_PREFIX } from '../../src/repository/index.ts';
import { DecoratedStore } from '../../src/store/index.ts';
import { environment, initialise } from '../support/cli.ts';
import { AS_OWNER, everything, startFirestore, type TestFirestore } from '../support/firestore.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { contextOf } from '../support/steps.ts';

/** Takes what is recorded, or ends whoever records, as a kill does between the end of the work and its record. */
class LedgerStore extends DecoratedStore {
  static isDeadly = false;

  override async put(...call: Parameters<DecoratedStore['put']>): Promise<void> {
    if (LedgerStore.isDeadly && call[0].startsWith(LEDGER_PREFIX)) throw new Error('killed');
    return this.inner.put(...call);
  }
}

describe.skipIf(!requires('postgresql', 'pg_dump', 'redis'))(
  'a step that restored and could not record it',
  { timeout: 240_000 },
  () => {
    const directory = testDirectory();
    const at = (name: string): string => join(directory, name);
    let server: TestServer;
    let [cache, target]: RedisServer[] = [];
    let firestore: TestFirestore;
    let crm: { url: string; root: string };
    let workspace: Workspace;

    beforeAll(async () => {
      [server, cache, target, firestore] = await Promise.all([
        startTestServer(),
        RedisServer.start(),
        RedisServer.start(),
        startFirestore(),
      ]);
      await server.createDatabase('shop');
      await server.query(
        'shop',
        'create table orders as select generate_series(1, 50) as id; alter database shop set default_transaction_read_only = on',
      );
      for (let key = 0; key < 20; key++) await cache!.call('SET', `session:${key}`, 'x');
      await firestore.write({ 'companies/a': {}, 'companies/b': {} });
      const { project, root } = firestore.another();
      crm = { url: `firestore://${project}`, root };
      mkdirSync(at('files'));
      writeFileSync(at('files/one'), 'one');
      writeFileSync(at('key'), 'secret', { mode: 0o600 });
      new DatabaseSync(at('app.sqlite')).exec(
        'create table notes (id integer primary key); insert into notes values (7)',
      );
      const plan = {
        version: 1,
        name: 'shop',
        repositories: { main: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } } },
        sources: {
          db: { type: 'postgres', url: { env: 'DB_URL' }, method: 'logical' },
          cache: { type: 'redis', url: { env: 'CACHE_URL' } },
          crm: { type: 'firestore', project: firestore.project },
          files: { type: 'files', paths: [at('files')] },
          keys: { type: 'secrets', from: { files: [at('key')] } },
          notes: { type: 'sqlite', path: at('app.sqlite') },
        },
        groups: { all: { sources: ['files', 'notes'], order: ['files', 'notes'] } },
      };
      writeFileSync(at('holdfast.yaml'), JSON.stringify(plan));
      await initialise(directory);
      const variables = environment({
        ...{ DB_URL: server.url('shop'), CACHE_URL: cache!.url, FIRESTORE_EMULATOR_HOST: firestore.host },
      });
      workspace = new Workspace(await loadPlan({ cwd: directory, env: {} }), {
        ...{ clock: systemClock, version: '0.0.0', signal: new AbortController().signal, progress: () => noProgress },
        variables,
        adapters: { ...adapters, openStore: async (...given) => new LedgerStore(await adapters.openStore(...given)) },
      });
      const outcomes = (await backup(workspace, [])).map(({ outcome }) => outcome);
      expect(new Set(outcomes)).toEqual(new Set(['complete']));
    });
    afterAll(async () => {
      await Promise.all([server?.stop(), cache?.stop(), target?.stop(), firestore?.close()]);
    });

    /** Restores, and is killed before the record, then again: it is done, and what marked the target is gone. */
    async function goesOn(
      step: ({ source: string; only?: string[]; as?: string } | { group: string }) & { to: string },
      marks: () => Promise<unknown[]> | unknown[],
    ): Promise<void> {
      const context = () => contextOf(workspace, { id: 'back', do: 'restore', ...step });
      LedgerStore.isDeadly = true;
      await expect(restore.run(context()))
        .rejects.toThrow('killed')
        .finally(() => {
          LedgerStore.isDeadly = false;
        });
      expect(await marks()).not.toEqual([]);
      expect((await restore.run(context())).outcome).toBe('done');
      expect(await marks()).toEqual([]);
    }

    const sameAs = async (source: string, other: string) =>
      expect((await compare(workspace, { source, with: other })).differences).toEqual([]);
    /** Of these directories, what is neither theirs nor a part of it. */
    const hiddenIn = (name: string) => () => readdirSync(at(name)).filter((each) => each.startsWith('.'));

    it('goes on in a directory of files, of secrets, and of an archive', async () => {
      await goesOn({ source: 'files', to: at('back-files') }, hiddenIn('back-files'));
      await sameAs('files', at('back-files'));
      await goesOn({ source: 'keys', to: at('back-keys') }, hiddenIn('back-keys'));
      await goesOn({ source: 'db', to: at('back-archive') }, hiddenIn('back-archive'));
      expect(existsSync(at('back-archive/toc.dat'))).toBe(true);
    });

    it('fills a database anew, though that has become read only', async () => {
      const marks = () => server.query('back', "select 1 from pg_namespace where nspname = 'holdfast_restore'");
      await goesOn({ source: 'db', to: server.url('back') }, marks);
      await sameAs('db', server.url('back'));
    });

    it('takes a table beside a living database for its own, and brings it once', async () => {
      await server.createDatabase('living');
      await server.query('living', 'create table orders as select 7 as id');
      const marks = () => server.query('living', "select 1 from pg_namespace where nspname like 'holdfast%'");
      const back = { source: 'db', to: server.url('living'), only: ['public.orders'], as: 'public.orders_back' };
      await goesOn(back, marks);
      expect(await server.query('living', 'select count(*)::int from orders_back')).toEqual([{ count: 50 }]);
      expect(await server.query('living', 'select id from orders')).toEqual([{ id: 7 }]);
    });

    it('fills a Redis server anew, and goes on in its directory', async () => {
      const marks = async () => {
        const setting = await target!.text('CONFIG', 'GET', 'masteruser');
        target!.leave();
        return setting === 'masteruser,' ? [] : [setting];
      };
      await goesOn({ source: 'cache', to: target!.url }, marks);
      expect(Number(await target!.call('DBSIZE'))).toBe(20);
      await goesOn({ source: 'cache', to: at('back-cache') }, hiddenIn('back-cache'));
      expect(readdirSync(at('back-cache'))).toEqual(['dump.rdb']);
    });

    it('goes on in a Firestore database', async () => {
      const names = async () => {
        const found: string[] = [];
        const query = firestore.client.runQuery(
          { parent: crm.root, structuredQuery: everything() } as object,
          AS_OWNER,
        );
        for await (const { document } of query) if (document) found.push(document.name!.slice(crm.root.length));
        return found;
      };
      const marks = async () => (await names()).filter((name) => name.includes('holdfast'));
      await goesOn({ source: 'crm', to: crm.url }, marks);
      expect(await names()).toEqual(['/companies/a', '/companies/b']);
    });

    it('takes a SQLite database for its own that is as it left it, and no other', async () => {
      const context = () => contextOf(workspace, { id: 'back', do: 'restore', source: 'notes', to: at('back-notes') });
      LedgerStore.isDeadly = true;
      await expect(restore.run(context())).rejects.toThrow('killed');
      LedgerStore.isDeadly = false;
      expect((await restore.run(context())).outcome).toBe('done');
      const other = new DatabaseSync(at('back-notes/app.sqlite'));
      expect(other.prepare('select id from notes').all()).toEqual([{ id: 7 }]);
      other.exec('insert into notes values (8)');
      other.close();
      const { run } = context();
      const another = { ...context(), run: { ...run, id: 'INC-2' } };
      await expect(restore.run(another)).rejects.toMatchObject({ code: 'target-not-empty' });
    });

    it('goes on with all of a group', async () => {
      const marks = () =>
        existsSync(at('back-all')) ? readdirSync(at('back-all/files')).filter((each) => each.startsWith('.')) : [];
      await goesOn({ group: 'all', to: at('back-all') }, marks);
      expect(readdirSync(at('back-all')).sort()).toEqual(['files', 'notes']);
    });
  },
);
