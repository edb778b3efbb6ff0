/** The worst case: servers, primary repository and every cache are gone. What is left is a mirror, the kit and its page. */

import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { document, HOLDFAST, holdfast, type Ran, startHoldfast } from '../support/cli.ts';
import { runAsServer, serverDirectory, startDirectory } from '../support/data-directory.ts';
import { FollowedCluster, until } from '../support/followed.ts';
import { linesByHand, typeLines } from '../support/kit-page.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const ORDERS = 500;

describe.skipIf(!requires('postgresql', 'redis', 'restic', 'age', 'root'))('when everything is gone', () => {
  let cluster: FollowedCluster;
  let redis: RedisServer;
  let sockets: string;
  let passphrase: string;
  /** Of whom the first rescue was. */
  let home: string;
  const uploads = join(testDirectory(), 'uploads');
  const nobody = Number(spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).stdout);

  beforeAll(async () => {
    sockets = await serverDirectory();
    cluster = await FollowedCluster.start(BIN, { unix_socket_directories: sockets });
    // A copy that is started by hand is where the server was, and listens to nobody else.
    appendFileSync(
      join(cluster.data, 'postgresql.conf'),
      `listen_addresses = ''\nunix_socket_directories = '${sockets}'\n`,
    );
    redis = await RedisServer.start();
    mkdirSync(uploads);
    await cluster.query('create table orders (id int primary key, item text)');
    writePlan();
    await fill();
    await disaster();
  }, 120_000);
  afterAll(async () => {
    await settled(cluster?.server.stop());
    await settled(redis?.stop());
  });

  function writePlan(): void {
    const plan = {
      version: 1,
      name: 'shop',
      objectives: { rpo: '1h', rto: '4h' },
      repositories: {
        main: { store: './repository', password: { env: 'HOLDFAST_PASSWORD' } },
        second: { store: './second', mirrorOf: 'main' },
      },
      sources: {
        uploads: { type: 'files', paths: [uploads] },
        sessions: { type: 'redis', url: { env: 'REDIS_URL' }, stream: true },
        db: { type: 'postgres', url: { env: 'DB_URL' }, method: 'physical', wal: 'stream' },
      },
      groups: { shop: { sources: ['db', 'sessions'], order: ['db', 'sessions'] } },
      contacts: { oncall: { role: 'On-call engineer', phone: '+1-555-0100' } },
    };
    writeFileSync(join(cluster.directory, 'holdfast.yaml'), JSON.stringify(plan));
  }

  const variables = () => ({ ...cluster.environment, REDIS_URL: redis.url });
  const run = (...words: string[]): Promise<Ran> => holdfast(cluster.directory, words, variables());

  async function fillSessions(from: number, to: number): Promise<void> {
    for (let key = from; key < to; key++) await redis.call('SET', `session:${key}`, `value ${key}`);
  }

  /** Rows in the backup, in a snapshot of the log, and in the newest part of that. */
  async function fill(): Promise<void> {
    await fillSessions(0, 200);
    writeFileSync(join(uploads, 'invoice.pdf'), 'an invoice');
    await cluster.query(`insert into orders select n, 'in the backup' from generate_series(1, 100) n`);
    const made = document(await run('kit', '--json'));
    passphrase = made.passphrase;
    expect((await run('backup')).exit).toBe(0);
    const words = ['follow', '--every', '1s', '--fold-size', '2MiB', '--fold-after', '60s'];
    const { child, done } = startHoldfast(cluster.directory, words, variables());
    await cluster.query(`insert into orders select n, 'in a snapshot of the log' from generate_series(101, 400) n`);
    await cluster.query("select pg_logical_emit_message(false, 'fill', repeat('x', 3000000))");
    await until(async () => (await cluster.stored()).folded.length > 0);
    await cluster.query(`insert into orders select n, 'in the tail' from generate_series(401, ${ORDERS}) n`);
    await fillSessions(200, 300);
    await cluster.caughtUp();
    const offset = Number(/master_repl_offset:(\d+)/.exec(await redis.text('INFO', 'replication'))![1]);
    await until(async () => streamStored() >= offset);
    child.kill('SIGINT');
    await done;
  }

  /** Up to which byte the tail of the repository has the stream of Redis. */
  function streamStored(): number {
    const tail = join(cluster.directory, 'repository/holdfast/tail/shop/sessions');
    const parts = existsSync(tail) ? readdirSync(tail, { recursive: true }).map(String) : [];
    return Math.max(0, ...parts.flatMap((part) => Number.parseInt(/-([0-9A-Fa-f]+)$/.exec(part)?.[1] ?? '0', 16)));
  }

  async function disaster(): Promise<void> {
    await cluster.server.stop();
    await redis.stop();
    rmSync(join(cluster.directory, 'repository'), { recursive: true });
    rmSync(cluster.data, { recursive: true });
    rmSync(uploads, { recursive: true });
    spawnSync('chown', ['-R', 'nobody:', join(cluster.directory, 'second')]);
    spawnSync('chmod', ['755', cluster.directory]);
  }

  /** An empty directory of somebody else's, with the kit and the page in it. */
  async function elsewhere(): Promise<string> {
    const directory = await serverDirectory();
    for (const name of ['holdfast-kit.age', 'holdfast-kit.md']) {
      copyFileSync(join(cluster.directory, name), join(directory, name));
      chownSync(join(directory, name), nobody, nobody);
    }
    return directory;
  }

  const asNobody = ['--reuid=nobody', '--regid=nogroup', '--clear-groups', '--'];
  const bareEnvironment = (home: string): Record<string, string> => ({
    ...{ PATH: `${BIN}:${process.env['PATH']}`, HOME: home, TMPDIR: home, LC_ALL: 'C.UTF-8' },
  });

  async function expectDatabase(data: string): Promise<void> {
    const server = await startDirectory(BIN, data, { settings: { unix_socket_directories: await serverDirectory() } });
    const rows = await server.query('select item, count(*)::int as count from orders group by item order by item');
    await server.stop();
    expect(rows).toEqual([
      { item: 'in a snapshot of the log', count: 300 },
      { item: 'in the backup', count: 100 },
      { item: 'in the tail', count: 100 },
    ]);
  }

  it('brings all of it back, proven, from the mirror, for another user without a cache', async () => {
    const directory = await elsewhere();
    const words = ['rescue', '--kit', 'holdfast-kit.age', '--to', 'back', '--json'];
    const rescue = (...more: string[]) =>
      spawnSync('setpriv', [...asNobody, HOLDFAST, ...words, ...more], {
        cwd: directory,
        encoding: 'utf8',
        env: { ...bareEnvironment(directory), HOLDFAST_KIT_PASSPHRASE: passphrase },
      });
    home = directory;
    const { stdout, stderr, status } = rescue('--prove');
    const rescued = JSON.parse(stdout);
    expect([status, rescued.outcome, rescued.missed], stderr).toEqual([0, 'done', []]);
    expect(rescued.copies).toEqual([
      expect.objectContaining({ name: 'main', reason: expect.stringContaining('no repository') }),
      expect.objectContaining({ name: 'second', epoch: 0 }),
    ]);
    const seen = rescued.members.map(({ source, from, proof, outcome }: Record<string, { state?: string }>) => [
      ...[source, from, proof?.state, outcome],
    ]);
    expect(seen).toEqual([
      ['db', 'second', 'proven', 'complete'],
      ['sessions', 'second', 'proven', 'complete'],
      ['uploads', 'second', 'proven', 'complete'],
    ]);
    expect(rescued.notes.join()).toContain('the record of this waits on this machine');
    expect(rescued).toMatchObject({ rtoMs: 4 * 3_600_000, durationMs: expect.any(Number) });
    expect(rescued.durationMs).toBeGreaterThan(0);
    const back = join(directory, 'back');
    // As if it had been killed while the log was replayed: what is right of the cluster stays, and the rest is made anew.
    const file = join(back, '.holdfast-rescue.json');
    const { sources, ...state } = JSON.parse(readFileSync(file, 'utf8'));
    const { db, ...others } = sources;
    writeFileSync(file, JSON.stringify({ ...state, sources: others, begun: { db: db.target } }));
    writeFileSync(join(back, 'db/backup_label.old'), 'half of it');
    const again = rescue();
    expect([again.status, JSON.parse(again.stdout).outcome], again.stderr).toEqual([0, 'done']);
    await expectDatabase(join(back, 'db'));
    expect(readFileSync(join(back, 'uploads', uploads, 'invoice.pdf'), 'utf8')).toBe('an invoice');
    const server = await RedisServer.start(['--dbfilename', 'dump.rdb'], join(back, 'sessions'));
    expect([await server.call('DBSIZE'), await server.text('GET', 'session:299')]).toEqual([300, 'value 299']);
    await server.stop();
  }, 120_000);

  it('comes back by hand as well, by the lines of the printed page alone', async () => {
    const directory = await elsewhere();
    const page = readFileSync(join(directory, 'holdfast-kit.md'), 'utf8');
    const checks = [
      `psql -h ${sockets} -U postgres -Atc "select item, count(*) from orders group by item order by item" >rows`,
      'redis-cli dbsize >keys',
      'pg_ctl -D back/db/data -m immediate stop',
      'redis-cli shutdown nosave',
    ];
    // A network of its own, in which nobody else has a port.
    const shell = `unshare --net sh -c 'ip link set lo up; exec setpriv ${asNobody.join(' ')} sh -e "$0"'`;
    const typed = await typeLines([...linesByHand(page), ...checks], {
      ...{ directory, passphrase, shell, env: bareEnvironment(directory) },
    });
    expect(typed.isDone, typed.seen).toBe(true);
    expect(readFileSync(join(directory, 'rows'), 'utf8')).toBe(
      'in a snapshot of the log|300\nin the backup|100\nin the tail|100\n',
    );
    expect(readFileSync(join(directory, 'keys'), 'utf8')).toBe('300\n');
    expect(readFileSync(join(directory, 'back/uploads', uploads, 'invoice.pdf'), 'utf8')).toBe('an invoice');
    expect(await runAsServer('test', ['-e', join(directory, 'back/db/data/postmaster.pid')])).toMatchObject({
      status: 1,
    });
  }, 120_000);

  it('is in the ledger once the mirror that it came from is promoted there', async () => {
    const there = { ...variables(), XDG_STATE_HOME: join(home, '.local/state') };
    const holdfastThere = (...words: string[]) => holdfast(cluster.directory, [...words, '--json'], there);
    const promoted = document(await holdfastThere('repository', 'promote', 'second'));
    expect(promoted.notes.join('; ')).toMatch(/what waited on this machine for main is recorded in second: \d+ events/);
    const log = await holdfastThere('ledger', 'log', '--repository', 'second', '--kind', 'rescue.finished');
    const bodies = document(log).events.map(({ body }: { body: object }) => body);
    expect(bodies).toMatchObject([{ outcome: 'done', sources: [{ source: 'db', from: 'second' }, {}, {}] }, {}]);
    const verified = document(await holdfastThere('ledger', 'verify', '--repository', 'second'));
    expect(verified.repositories).toMatchObject([{ state: 'consistent' }]);
  });
});
