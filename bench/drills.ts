/**
 * `npm run bench:drills`: every runbook of `examples/omni-enterprise.yaml` drilled, as it is, on a database of 1 GB, Redis and
 * 10,000 files, whole processes; then what belongs together proven. Prints a line for each, and their sum.
 *
 *   --bytes N        about how large the database is (1000000000)
 *   --keys N         of Redis (200000)
 *   --files N        (10000)
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { systemClock } from '../src/foundation/clock.ts';
import { startPostgresCluster } from '../src/sandbox/local/index.ts';
import { writeSmallFiles } from './data.ts';
import { type Measurement, measure } from './measure.ts';

const HOLDFAST = fileURLToPath(new URL('../bin/holdfast', import.meta.url));
const PLAN = fileURLToPath(new URL('../examples/omni-enterprise.yaml', import.meta.url));
const RUNBOOKS = ['region-failure', 'database-corruption', 'security-breach', 'data-centre-failure'];
const ROW_BYTES = 250;
const AIM_SECONDS = 300;
const { values: options } = parseArgs({
  options: {
    bytes: { type: 'string', default: '1000000000' },
    keys: { type: 'string', default: '200000' },
    files: { type: 'string', default: '10000' },
  },
});

const directory = mkdtempSync(join(tmpdir(), 'holdfast-bench-drills-'));
const cluster = await startPostgresCluster({
  ...{ server: { majorVersion: 15 }, clock: systemClock },
  settings: { wal_level: 'replica', max_wal_senders: 5, shared_buffers: '256MB', max_wal_size: '4GB' },
});
const { server: redis, port } = await startRedis();
try {
  await fillDatabase(Number(options.bytes));
  // What `init` writes lies beside the plan.
  copyFileSync(PLAN, join(directory, 'holdfast.yaml'));
  mkdirSync(join(directory, 'uploads'));
  writeSmallFiles(join(directory, 'uploads'), Number(options.files), 1);
  const env = {
    ...process.env,
    ...{
      HOLDFAST_PLAN: join(directory, 'holdfast.yaml'),
      HOLDFAST_PASSWORD: 'benchmark',
      OMNI_BACKUPS: join(directory, 'repository'),
    },
    ...{ OMNI_DATABASE_URL: cluster.url('omni'), OMNI_REDIS_URL: `redis://127.0.0.1:${port}` },
    ...{ OMNI_UPLOADS: join(directory, 'uploads'), HOLDFAST_KIT_PASSPHRASE: 'benchmark' },
  };
  const turn = (name: string, words: string[]): Measurement => {
    const measured = measure([HOLDFAST, ...words], { cwd: directory, env });
    console.log(`${name}: ${(measured.wallMs / 1000).toFixed(1)} s`);
    return measured;
  };
  turn('init', ['init', '--json']);
  turn('backup', ['backup', 'omni-db', 'sessions', 'uploads', '--json']);
  turn('the proof that latest-clean wants', ['verify', 'omni-db', '--json']);
  const drills = RUNBOOKS.map((runbook) => turn(`drill ${runbook}`, ['drill', runbook, '--json']));
  const all = [...drills, turn('verify --group omni', ['verify', '--group', 'omni', '--json'])];
  const seconds = all.reduce((sum, each) => sum + each.wallMs / 1000, 0);
  console.log(`all runbooks and the group: ${seconds.toFixed(0)} s (aim: less than ${AIM_SECONDS})`);
} finally {
  redis.kill('SIGKILL');
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function fillDatabase(bytes: number): Promise<void> {
  const admin = new pg.Client({ connectionString: cluster.adminUrl });
  await admin.connect();
  await admin.query('CREATE DATABASE omni');
  await admin.query('CREATE ROLE application LOGIN');
  await admin.end();
  const client = new pg.Client({ connectionString: cluster.url('omni') });
  await client.connect();
  const rows = Math.round(bytes / ROW_BYTES);
  await client.query('CREATE TABLE customers (id bigint, name text, mail text, note text)');
  await client.query(
    `INSERT INTO customers SELECT id, md5(id::text), md5((-id)::text) || '@example.com',
       md5((id * 3)::text) || md5((id * 5)::text) || md5((id * 7)::text) FROM generate_series(1, $1::bigint) AS id`,
    [rows],
  );
  await client.query('ALTER TABLE customers ADD PRIMARY KEY (id)');
  await client.query(`CREATE TABLE uploads AS SELECT 'invoice.pdf'::text AS path WHERE false`);
  const { rows: sizes } = await client.query(`SELECT pg_size_pretty(pg_database_size('omni')) AS size`);
  console.log(`database: ${sizes[0].size}, ${rows} rows; ${options.keys} keys; ${options.files} files`);
  await client.end();
}

async function startRedis(): Promise<{ server: ChildProcess; port: number }> {
  const listener = createServer();
  await new Promise<void>((resolve) => void listener.listen(0, '127.0.0.1', resolve));
  const { port: free } = listener.address() as { port: number };
  await new Promise((resolve) => listener.close(resolve));
  const server = spawn(
    'redis-server',
    ['--port', String(free), '--bind', '127.0.0.1', '--save', '', '--dir', directory],
    {
      stdio: 'ignore',
    },
  );
  const fill = `for i = 1, ${options.keys} do redis.call('SET', 'session:' .. i, redis.sha1hex(i)) end`;
  for (let tries = 0; tries < 200; tries++) {
    const ran = spawn('redis-cli', ['-p', String(free), 'EVAL', fill, '0'], { stdio: 'ignore' });
    const code = await new Promise((resolve) => ran.once('close', resolve));
    if (code === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { server, port: free };
}
