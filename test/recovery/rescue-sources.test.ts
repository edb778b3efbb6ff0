/** Each kind of source comes back with nothing but the kit: by `rescue`, and from a bucket by the lines of the kit's page. */

import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { createS3Store } from '../../src/store/s3/index.ts';
import { document, environment, holdfast, initialise, type Ran, startHoldfast } from '../support/cli.ts';
import { AS_OWNER, everything, startFirestore, type TestFirestore } from '../support/firestore.ts';
import { startFirestoreRest } from '../support/firestore-rest.ts';
import { until } from '../support/followed.ts';
import { bareRepository, commit, git } from '../support/git.ts';
import { linesByHand, typeLines } from '../support/kit-page.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { placeAt, type S3Server, s3Server } from '../support/s3-server.ts';

/** What fetches the newest part of a log from a bucket, by hand. */
const HAS_AWS = spawnSync('aws', ['--version']).status === 0;

const STATE = 'back/.holdfast-rescue.json';

type Member = {
  source: string;
  isEarlier?: boolean;
  outcome: string;
  proof?: { state: string };
  error?: { code: string };
};

describe.skipIf(!requires('postgresql', 'pg_dump', 'redis', 'git', 'restic', 'age', 'radosgw'))(
  'with nothing but the kit',
  () => {
    const directory = testDirectory();
    /** Where all of it came back to first. */
    const rescued = testDirectory();
    let passphrase: string;
    let s3: S3Server;
    let postgres: TestServer;
    let redis: RedisServer;
    let firestore: TestFirestore;

    beforeAll(async () => {
      [s3, postgres, redis, firestore] = await Promise.all([
        s3Server(),
        startTestServer(),
        RedisServer.start(),
        startFirestore(),
      ]);
      const bucket = await s3.bucket();
      for (const name of ['main', 'logs']) await initialise(directory, name);
      writePlan(bucket, await fill());
      await backUpWhileFollowed(createS3Store(placeAt(s3.endpoint, bucket, 'logs')));
      passphrase = document(await run(directory, 'kit', '--json')).passphrase;
    }, 120_000);
    afterAll(async () => {
      await Promise.all([settled(postgres?.stop()), settled(redis?.stop()), settled(firestore?.close())]);
    });

    async function fill(): Promise<string> {
      await postgres.createDatabase('shop');
      await postgres.query(
        'shop',
        `create table orders as select n as id, 'item ' || n as item from generate_series(1, 50) n`,
      );
      await redis.call('SET', 'session:1', 'of ada');
      await firestore.write({ 'companies/acme': { name: { stringValue: 'Acme' } } });
      const database = new DatabaseSync(join(directory, 'notes.db'));
      database.exec("create table notes (text); insert into notes values ('remember')");
      database.close();
      mkdirSync(join(directory, 'secrets'));
      writeFileSync(join(directory, 'secrets/token'), 'a token\n', { mode: 0o600 });
      const code = bareRepository();
      commit(code, 'refs/heads/main', { 'index.ts': 'export {};\n' });
      return code;
    }

    /** Something comes behind the backup, into the newest part of the stream. */
    async function backUpWhileFollowed(store: ObjectStore): Promise<void> {
      const { child, done } = startHoldfast(directory, ['follow', '--every', '1s', '--fold-after', '60s'], variables());
      await until(async () => (await redis.text('INFO', 'replication')).includes('connected_slaves:1'));
      expect((await run(directory, 'backup')).exit).toBe(0);
      await redis.call('SET', 'session:2', 'of bob');
      const offset = Number(/master_repl_offset:(\d+)/.exec(await redis.text('INFO', 'replication'))![1]);
      await until(async () => (await streamStored(store)) >= offset);
      child.kill('SIGINT');
      await done;
    }

    /** Up to which byte the tail has the stream of Redis. */
    async function streamStored(store: ObjectStore): Promise<number> {
      const ends = [0];
      for await (const { key } of store.list('holdfast/tail/omni/sessions/')) {
        ends.push(Number.parseInt(/-([0-9A-Fa-f]+)$/.exec(key)?.[1] ?? '0', 16));
      }
      return Math.max(...ends);
    }

    function writePlan(bucket: string, code: string): void {
      const password = { env: 'HOLDFAST_PASSWORD' };
      const inBucket = { endpoint: s3.endpoint, pathStyle: true };
      const plan = {
        version: 1,
        name: 'omni',
        objectives: { rpo: '1h', rto: '4h' },
        repositories: {
          ...{ main: { store: './main', password }, logs: { store: './logs', password } },
          eu: { store: `s3://${bucket}/main`, mirrorOf: 'main', s3: inBucket },
          'logs-eu': { store: `s3://${bucket}/logs`, mirrorOf: 'logs', s3: inBucket },
        },
        sources: {
          db: { type: 'postgres', url: { env: 'DB_URL' }, method: 'logical', repository: 'main' },
          cache: { type: 'redis', url: { env: 'REDIS_URL' }, repository: 'main' },
          sessions: { type: 'redis', url: { env: 'REDIS_URL' }, stream: true, repository: 'logs' },
          crm: { type: 'firestore', project: firestore.project, repository: 'main' },
          notes: { type: 'sqlite', path: join(directory, 'notes.db'), repository: 'main' },
          keys: { type: 'secrets', from: { directory: join(directory, 'secrets') }, repository: 'main' },
          code: { type: 'git', url: code, repository: 'main' },
        },
        sandboxes: { proofs: { type: 'firestore', project: `${firestore.project}-proofs` } },
      };
      writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(plan));
    }

    const variables = (): Record<string, string> =>
      environment({
        ...s3.variables,
        ...{ DB_URL: postgres.url('shop'), REDIS_URL: redis.url, FIRESTORE_EMULATOR_HOST: firestore.host },
      });
    const run = (place: string, ...words: string[]): Promise<Ran> => holdfast(place, words, variables());

    const rescueWords = ['rescue', '--kit', join(directory, 'holdfast-kit.age'), '--to', 'back'];
    /** Of a machine that has the credentials of the store and the passphrase. */
    const bareVariables = (): Record<string, string> => {
      const { DB_URL: _, REDIS_URL: __, HOLDFAST_PASSWORD: ___, ...bare } = variables();
      return { ...bare, HOLDFAST_KIT_PASSPHRASE: passphrase };
    };
    const rescue = (place: string, ...words: string[]): Promise<Ran> =>
      holdfast(place, [...rescueWords, ...words, '--json'], bareVariables());

    /** What another rescue of the same recovery points has brought back as well; a dump that a server makes has its time in it. */
    function expectSame(place: string, elsewhere: readonly string[] = []): void {
      const left = ['.holdfast-rescue.json', 'sessions', ...elsewhere].map((name) => `--exclude=${name}`);
      const { status, stdout } = spawnSync('diff', ['-r', ...left, join(rescued, 'back'), join(place, 'back')]);
      expect([status, String(stdout)]).toEqual([0, '']);
    }

    const textOf = (place: string, path: string): string => readFileSync(join(place, 'back', path), 'utf8');

    async function namesIn(database: string): Promise<unknown[]> {
      const query = { parent: `${database}/documents`, structuredQuery: everything() };
      const names: unknown[] = [];
      for await (const { document: each } of firestore.client.runQuery(query as object, AS_OWNER)) {
        if (each) names.push(each.fields.name.stringValue);
      }
      return names;
    }

    function expectContent(place: string, paths: { notes: string; keys: string; code: string; crm: string }): void {
      const database = new DatabaseSync(join(place, 'back', paths.notes), { readOnly: true });
      expect(database.prepare('select text from notes').all()).toEqual([{ text: 'remember' }]);
      database.close();
      expect(textOf(place, `${paths.keys}${directory}/secrets/token`)).toBe('a token\n');
      expect(git(join(place, 'back', paths.code), 'show', 'HEAD:index.ts')).toBe('export {};');
      expect(textOf(place, `${paths.crm}/data/documents/companies/00000000.jsonl`)).toContain('"Acme"');
    }

    it('every kind of source is proven, and brought back as its own programs take it', async () => {
      const ran = await rescue(rescued, '--prove');
      const { missed, members } = document(ran);
      expect([ran.exit, missed], ran.stderr).toEqual([0, []]);
      expect(members.map(({ source, proof }: Member) => `${source} ${proof!.state}`).sort()).toEqual(
        ['cache', 'code', 'crm', 'db', 'keys', 'notes', 'sessions'].map((source) => `${source} proven`),
      );
      const said = (source: string) => members.find((each: Member) => each.source === source).notes.join('\n');
      expect(said('db')).toContain(`pg_restore --dbname=DATABASE ${rescued}/back/db`);
      expect(said('crm')).toContain('firestore://PROJECT');
      expect(said('cache')).toContain('start the server there');
      expect(readFileSync(join(rescued, 'back/sessions/dump.rdb'), 'latin1')).toContain('of bob');
      expectContent(rescued, { notes: 'notes/notes.db', keys: 'keys/files', code: 'code', crm: 'crm' });
    });

    it('killed in its middle and run again, it ends the same, also on a running server and in Firestore', async () => {
      const place = testDirectory();
      const project = `${firestore.project}-back`;
      firestore.server?.createDatabase(`projects/${project}/databases/(default)`);
      const elsewhere = ['--to', `db=${await postgres.createDatabase('back')}`, '--to', `crm=firestore://${project}`];
      const { child, done } = startHoldfast(place, [...rescueWords, ...elsewhere], bareVariables());
      let said = '';
      child.stderr!.on('data', (bytes: Buffer) => {
        said += bytes.toString();
        if (/^\w+: back in/m.test(said)) child.kill('SIGKILL');
      });
      expect((await done).exit).toBe('SIGKILL');
      const before = JSON.parse(readFileSync(join(place, STATE), 'utf8'));
      const again = document(await rescue(place, ...elsewhere));
      expect(again).toMatchObject({ outcome: 'done', at: before.at, since: before.startedAt });
      const earlier = again.members.filter(({ isEarlier }: Member) => isEarlier);
      expect(earlier.map(({ source }: Member) => source)).toEqual(expect.arrayContaining(Object.keys(before.sources)));
      expectSame(place, ['db', 'crm']);
      expect(await postgres.query('back', 'select count(*)::int from orders')).toEqual([{ count: 50 }]);
      expect(await namesIn(`projects/${project}/databases/(default)`)).toEqual(['Acme']);
    }, 120_000);

    it('killed once all was there and before that was noted, it goes on; what it did not begin is somebody else’s', async () => {
      const place = testDirectory();
      cpSync(join(rescued, 'back'), join(place, 'back'), { recursive: true, preserveTimestamps: true });
      const { sources, ...state } = JSON.parse(readFileSync(join(rescued, STATE), 'utf8'));
      const { code: _, ...begun } = Object.fromEntries(
        Object.keys(sources).map((source) => [source, join(place, 'back', source)]),
      );
      writeFileSync(join(place, STATE), JSON.stringify({ ...state, begun, sources: {} }));
      writeFileSync(join(place, `${STATE}.0123.part`), 'what was being written');
      const again = document(await rescue(place));
      const failed = again.members.filter(({ outcome }: Member) => outcome !== 'complete');
      expect(failed).toMatchObject([{ source: 'code', error: { code: 'target-not-empty' } }]);
      expectSame(place);
    });

    it('every kind of source comes back by hand, by the lines of the printed page alone', async () => {
      const place = testDirectory();
      for (const name of ['main', 'logs']) rmSync(join(directory, name), { recursive: true });
      copyFileSync(join(directory, 'holdfast-kit.age'), join(place, 'holdfast-kit.age'));
      const lines = linesByHand(readFileSync(join(directory, 'holdfast-kit.md'), 'utf8'), HAS_AWS ? [] : ['logs']);
      const restored = `projects/${firestore.project}/databases/restored-crm`;
      firestore.server?.createDatabase(restored);
      const rest = await startFirestoreRest(firestore);
      onTestFinished(() => rest.close());
      // Where another server has the port of Redis, says the page, it is to be another one.
      const programs = join(place, 'programs');
      mkdirSync(programs);
      const onSocket = '#!/bin/sh\nexec /usr/bin/redis-server --port 0 "$@" --unixsocket socket\n';
      writeFileSync(join(programs, 'redis-server'), onSocket, { mode: 0o755 });
      const env = {
        ...{ PATH: `${programs}:${process.env['PATH']}`, HOME: place, TMPDIR: place, ...s3.variables },
        ...{ PGHOST: postgres.socketDirectory, PGUSER: postgres.superuser, FIRESTORE_EMULATOR_HOST: rest.host },
      };
      const typed = await typeLines(lines, { directory: place, passphrase, env });
      expect(typed.isDone, typed.seen).toBe(true);
      const asked = (server: string, ...words: string[]): string =>
        String(spawnSync('redis-cli', ['-s', join('back', server, 'socket'), ...words], { cwd: place }).stdout);
      const servers = { 'cache/data': 'of ada\n\n', ...(HAS_AWS && { 'sessions/server': 'of ada\nof bob\n' }) };
      for (const [server, values] of Object.entries(servers)) {
        onTestFinished(() => void asked(server, 'shutdown', 'nosave'));
        // In the background, it is there before it answers.
        const answers = () => expect(asked(server, 'mget', 'session:1', 'session:2')).toBe(values);
        await vi.waitFor(answers, { timeout: 30_000 });
      }
      expect(await postgres.query('db', 'select count(*)::int from orders')).toEqual([{ count: 50 }]);
      expect(await namesIn(restored)).toEqual(['Acme']);
      expectContent(place, { notes: 'notes/data/notes.db', keys: 'keys/data/files', code: 'code-work', crm: 'crm' });
    }, 120_000);
  },
);
