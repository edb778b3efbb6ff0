/**
 * `npm run bench:postgres`: backups and restores of a PostgreSQL cluster of more than 2 GB, beside pgBackRest, and of a
 * database, beside pg_dump and pg_restore, each whole process measured, in alternating order. Writes postgres.json, and
 * RESULTS.md anew. As root the server and pgBackRest run as the user postgres.
 *
 *   --pairs N        rounds of each scenario (5)
 *   --only NAME,…    these scenarios, or `lost-commits` or `load`, kept beside the others' last results
 *   --rows N         of the cluster's table (12000000), a third of it for the single database
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type LoadRound, measureUnderLoad } from './load.ts';
import { type LostCommits, measureLostCommits } from './lost-commits.ts';
import { type Measurement, measure } from './measure.ts';
import { type PostgresResults, type PostgresScenario, type UnderLoad, writeReport } from './report.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const RESULTS = here('postgres.json');
const HOLDFAST = here('../bin/holdfast');
const PASSWORD = 'benchmark';
const PORT = '54991';

const { values: options } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    only: { type: 'string' },
    rows: { type: 'string', default: '12000000' },
    directory: { type: 'string', default: join(tmpdir(), 'holdfast-bench-postgres') },
    bin: { type: 'string', default: '/usr/lib/postgresql/15/bin' },
  },
});

const at = (...names: string[]): string => join(options.directory, ...names);
const program = (name: string): string => join(options.bin, name);
const isRoot = process.getuid?.() === 0;
/** The server's user: it is no root. */
const AS_SERVER = isRoot ? ['runuser', '-u', 'postgres', '--'] : [];
const ENVIRONMENT: NodeJS.ProcessEnv = {
  ...process.env,
  HOLDFAST_BENCH_PASSWORD: PASSWORD,
  HOLDFAST_PLAN: at('holdfast.yaml'),
  PGHOST: options.directory,
  PGPORT: PORT,
  PGUSER: 'postgres',
  PGDATABASE: 'postgres',
};

interface Scenario extends Pick<PostgresScenario, 'name' | 'title' | 'peer' | 'atLeast' | 'aim'> {
  /** Before a round, once for both. */
  round?(round: number): void;
  /** After the last round. */
  end?(): void;
  /** Before a turn, untimed. @returns the command that is timed */
  holdfast(round: number): string[];
  other(round: number): string[];
  /** What each stores, if that is of interest. */
  stored?: { holdfast: string; other: string };
}

const holdfast = (...words: string[]): string[] => [HOLDFAST, '--no-progress', ...words];
const pgbackrest = (...words: string[]): string[] => [
  ...AS_SERVER,
  'pgbackrest',
  `--config=${at('pgbackrest.conf')}`,
  '--stanza=bench',
  ...words,
];
const url = (database: string): string =>
  `postgres://postgres@/${database}?host=${encodeURIComponent(options.directory)}&port=${PORT}`;

const SCENARIOS: Scenario[] = [
  {
    name: 'physical-full',
    title: 'physical backup, full',
    peer: 'pgbackrest',
    atLeast: 1,
    aim: 1.5,
    holdfast() {
      removeAll('holdfast');
      run(holdfast('init'));
      return holdfast('backup', 'cluster');
    },
    // Else it would remove the one before, and seem to store nothing.
    other: () => pgbackrest('--type=full', '--no-expire-auto', 'backup'),
    stored: { holdfast: 'holdfast', other: 'pgbackrest/backup' },
  },
  {
    name: 'physical-again',
    title: 'physical backup after 1 % of pages changed at random',
    peer: 'pgbackrest',
    atLeast: 1,
    aim: 1.5,
    round: changePages,
    holdfast: () => holdfast('backup', 'cluster'),
    other: () => pgbackrest('--type=incr', 'backup'),
    stored: { holdfast: 'holdfast', other: 'pgbackrest/backup' },
  },
  {
    name: 'physical-restore',
    title: 'physical restore',
    peer: 'pgbackrest',
    atLeast: 1,
    aim: 1.5,
    // Into a directory of its own each time: ext4 makes files slowly for minutes after many were removed.
    holdfast: (round) => holdfast('restore', 'cluster', '--to', at('restored', `holdfast-${round}`)),
    other(round) {
      makeForServer(at('restored'));
      makeForServer(at('restored', `other-${round}`));
      return pgbackrest(`--pg1-path=${at('restored', `other-${round}`)}`, 'restore');
    },
    end: () => removeAll('restored'),
  },
  {
    name: 'physical-delta',
    title: 'physical restore over a directory that lacks the last 1 % of changes',
    peer: 'pgbackrest --delta',
    atLeast: 1,
    aim: 2,
    round(round) {
      if (round === 0) {
        removeAll('delta');
        makeForServer(at('delta'));
        makeForServer(at('delta', 'other'));
        run(holdfast('restore', 'cluster', '--to', at('delta', 'holdfast')));
        run(pgbackrest(`--pg1-path=${at('delta', 'other')}`, 'restore'));
      }
      changePages(round + 500);
      run(holdfast('backup', 'cluster'));
      run(pgbackrest('--type=incr', 'backup'));
    },
    holdfast: () =>
      holdfast('restore', 'cluster', '--to', at('delta', 'holdfast'), '--replace', '--confirm', 'holdfast'),
    other: () => pgbackrest('--delta', `--pg1-path=${at('delta', 'other')}`, 'restore'),
    end: () => removeAll('delta'),
  },
  {
    name: 'logical-dump',
    title: 'logical backup',
    peer: 'pg_dump -Fd -j2 -Z1',
    atLeast: 1,
    aim: 1.5,
    holdfast() {
      removeAll('holdfast');
      run(holdfast('init'));
      return holdfast('backup', 'database');
    },
    other() {
      removeAll('dump');
      return [program('pg_dump'), '-Fd', '-j2', '-Z1', '-f', at('dump'), 'single'];
    },
    stored: { holdfast: 'holdfast', other: 'dump' },
  },
  {
    name: 'logical-restore',
    title: 'logical restore',
    peer: 'pg_restore -j2',
    atLeast: 1,
    aim: 1.3,
    holdfast() {
      recreate('again');
      return holdfast('restore', 'database', '--to', url('again'));
    },
    other() {
      recreate('again');
      return [program('pg_restore'), '-j2', '-d', 'again', at('dump')];
    },
  },
  {
    name: 'gzip-dump',
    title: "the playbook's `pg_dump | gzip`",
    peer: 'pg_dump | gzip',
    atLeast: 1.3,
    aim: 3,
    holdfast() {
      removeAll('holdfast');
      run(holdfast('init'));
      return holdfast('backup', 'database');
    },
    other: () => ['sh', '-c', `${program('pg_dump')} single | gzip > ${at('dump.gz')}`],
    stored: { holdfast: 'holdfast', other: 'dump.gz' },
  },
  {
    name: 'gzip-restore',
    title: 'the way back: `gunzip | psql`',
    peer: 'gunzip | psql',
    atLeast: 1,
    aim: 1.5,
    holdfast() {
      recreate('again');
      return holdfast('restore', 'database', '--to', url('again'));
    },
    other() {
      recreate('again');
      return ['sh', '-c', `gunzip < ${at('dump.gz')} | psql -q -v ON_ERROR_STOP=1 -o /dev/null again`];
    },
  },
];

function run(command: readonly string[], mayFail = false): string {
  const [name, ...args] = command as [string, ...string[]];
  const { status, stdout, stderr } = spawnSync(name, args, {
    cwd: '/',
    env: ENVIRONMENT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0 && !mayFail) throw new Error(`${command.join(' ')} failed: ${stderr}${stdout}`);
  return stdout;
}

const sql = (text: string, database = 'postgres'): string => run(['psql', '-qAtX', '-d', database, '-c', text]);

function removeAll(...names: string[]): void {
  for (const name of names) rmSync(at(name), { recursive: true, force: true });
}

function makeForServer(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (!isRoot) return;
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(run(['id', flag, 'postgres'])));
  chownSync(directory, uid!, gid!);
}

function recreate(database: string): void {
  sql(`drop database if exists ${database}`);
  sql(`create database ${database}`);
}

/** A row in one of every hundred pages, each time others; the changed rows go to the table's end, and its indexes change. */
function changePages(round: number): void {
  sql(`select setseed(${(round + 1) / 1000})`);
  sql(`update orders set amount = amount + 1
       where ctid = any (array(
         select format('(%s,%s)', (random() * (pg_relation_size('orders') / 8192 - 1))::bigint, 1 + (random() * 50)::int)::tid
         from generate_series(1, pg_relation_size('orders') / 819200)))`);
  sql('checkpoint');
}

/** A cluster with page checksums, whose log goes to pgBackRest, and what each of the tools wants to know. */
function startCluster(): void {
  makeForServer(options.directory);
  chmodSync(options.directory, 0o755);
  const isNew = !existsSync(at('cluster', 'PG_VERSION'));
  if (isNew) run([...AS_SERVER, program('initdb'), '-k', '-A', 'trust', '-U', 'postgres', '-D', at('cluster')]);
  writeSettings();
  const settings = `-c listen_addresses= -c port=${PORT} -c unix_socket_directories=${options.directory} -c shared_buffers=512MB -c max_wal_size=4GB -c archive_mode=on -c 'archive_command=pgbackrest --config=${at('pgbackrest.conf')} --stanza=bench archive-push %p'`;
  run([...AS_SERVER, program('pg_ctl'), '-w', '-D', at('cluster'), '-l', at('server.log'), '-o', settings, 'start']);
  run(pgbackrest('stanza-create'));
  if (!isNew) return;
  const rows = Number(options.rows);
  fill('postgres', rows);
  sql('create database single');
  fill('single', Math.ceil(rows / 3));
  sql('checkpoint');
}

/** Rows as orders are: numbers, times, a few states, a reference, some words. They compress to about two fifths. */
function fill(database: string, rows: number): void {
  sql(
    `select setseed(0.5);
     create table orders as
       select id, (random() * 50000)::int as customer, timestamptz '2024-01-01' + id * interval '1.009 s' as placed,
              (random() * 10000)::numeric(10, 2) as amount,
              (array['new', 'paid', 'shipped', 'delivered', 'cancelled'])[1 + (random() * 4)::int] as state,
              md5(random()::text) as reference, 'note ' || (random() * 1000)::int || ' with the parcel' as note
       from generate_series(1, ${rows}) id;
     alter table orders add primary key (id);
     create index on orders (customer, placed);`,
    database,
  );
  sql('vacuum freeze analyze', database);
}

function writeSettings(): void {
  makeForServer(at('pgbackrest'));
  makeForServer(at('pgbackrest-log'));
  writeFileSync(
    at('pgbackrest.conf'),
    `[global]
repo1-path=${at('pgbackrest')}
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=${PASSWORD}
repo1-bundle=y
repo1-retention-full=1
process-max=2
compress-type=zst
compress-level=3
start-fast=y
log-path=${at('pgbackrest-log')}
lock-path=${at('pgbackrest-log')}
spool-path=${at('pgbackrest-log')}

[bench]
pg1-path=${at('cluster')}
pg1-port=${PORT}
pg1-socket-path=${options.directory}
pg1-user=postgres
`,
  );
  writeFileSync(
    at('holdfast.yaml'),
    `version: 1
name: bench
repositories: { main: { store: ${at('holdfast')}, password: { env: HOLDFAST_BENCH_PASSWORD } } }
sources:
  cluster: { type: postgres, url: ${JSON.stringify(url('postgres'))}, method: physical }
  database: { type: postgres, url: ${JSON.stringify(url('single'))} }
`,
  );
}

function sizeOf(path: string): number {
  return Number.parseInt(run(['du', '--summarize', '--bytes', path], true) || '0', 10);
}

function turn(command: string[], stored: string | undefined): Measurement & { storedBytes: number } {
  const before = stored === undefined ? 0 : sizeOf(at(stored));
  spawnSync('sync');
  const measured = measure(command, { cwd: '/', env: ENVIRONMENT });
  return { ...measured, storedBytes: stored === undefined ? 0 : sizeOf(at(stored)) - before };
}

function measureScenario(scenario: Scenario): PostgresScenario {
  const { name, title, peer, atLeast, aim, stored } = scenario;
  const rounds: PostgresScenario['rounds'] = [];
  for (let round = 0; round < Number(options.pairs); round++) {
    scenario.round?.(round);
    const own = () => turn(scenario.holdfast(round), stored?.holdfast);
    const others = () => turn(scenario.other(round), stored?.other);
    const [first, second] = round % 2 === 0 ? [own, others] : [others, own];
    const [a, b] = [first(), second()];
    rounds.push(round % 2 === 0 ? { holdfast: a, other: b } : { holdfast: b, other: a });
    const shown = ({ wallMs, cpuMs, peakRssBytes, storedBytes }: Measurement & { storedBytes: number }): string =>
      `${(wallMs / 1000).toFixed(2)} s, ${(cpuMs / 1000).toFixed(2)} s CPU, ${Math.round(peakRssBytes / 2 ** 20)} MiB, ${Math.round(storedBytes / 2 ** 20)} MiB stored`;
    console.log(
      `${name} ${round + 1}: holdfast ${shown(rounds.at(-1)!.holdfast)}; ${peer} ${shown(rounds.at(-1)!.other)}`,
    );
  }
  scenario.end?.();
  return { name, title, peer, atLeast, aim, rounds };
}

/** Both take the cluster whole and compress it in the same way, on the machine of the server. */
async function underLoad(): Promise<UnderLoad[]> {
  if (sql("select 1 from pg_database where datname = 'load'") === '') {
    sql('create database load');
    run([program('pgbench'), '-i', '-q', '-s', '20', 'load']);
  }
  const how = { pgbench: program('pgbench'), database: 'load', environment: ENVIRONMENT };
  const rounds: UnderLoad[] = [];
  for (let round = 0; round < Number(options.pairs); round++) {
    removeAll('holdfast', 'basebackup');
    run(holdfast('init'));
    const own = () => measureUnderLoad(holdfast('backup', 'cluster'), how);
    const words = ['-D', at('basebackup'), '-Ft', '-X', 'stream', '-c', 'fast', '--compress=client-zstd:3'];
    const others = () => measureUnderLoad([program('pg_basebackup'), ...words], how);
    const [first, second] = round % 2 === 0 ? [own, others] : [others, own];
    const [a, b] = [await first(), await second()];
    rounds.push(round % 2 === 0 ? { holdfast: a, other: b } : { holdfast: b, other: a });
    const shown = ({ beforeTps, duringTps, backupMs }: LoadRound): string =>
      `${Math.round(beforeTps)} tps before, ${Math.round(duringTps)} tps during ${(backupMs / 1000).toFixed(1)} s`;
    console.log(
      `load ${round + 1}: holdfast ${shown(rounds.at(-1)!.holdfast)}; pg_basebackup ${shown(rounds.at(-1)!.other)}`,
    );
  }
  removeAll('basebackup');
  return rounds;
}

/** With what is usual, and as often as can be. */
async function lostCommits(): Promise<LostCommits[]> {
  const { directory } = options;
  const bench = { directory, asServer: AS_SERVER, program, holdfast, environment: ENVIRONMENT, run, makeForServer };
  const rounds = Number(options.pairs);
  return [await measureLostCommits(bench, undefined, rounds), await measureLostCommits(bench, '1s', rounds)];
}

async function main(): Promise<void> {
  startCluster();
  try {
    const only = options.only?.split(',');
    const last = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as PostgresResults) : undefined;
    const kept = only === undefined ? [] : (last?.scenarios ?? []);
    const scenarios = new Map(kept.map((each) => [each.name, each]));
    for (const scenario of SCENARIOS.filter(({ name }) => only === undefined || only.includes(name))) {
      scenarios.set(scenario.name, measureScenario(scenario));
    }
    const results: PostgresResults = {
      time: new Date().toISOString(),
      server: run([program('postgres'), '--version']).trim(),
      pgbackrest: run(['pgbackrest', 'version']).trim(),
      clusterBytes: sizeOf(at('cluster', 'base')),
      databaseBytes: Number(sql("select pg_database_size('single')")),
      lostCommits: only === undefined || only.includes('lost-commits') ? await lostCommits() : last?.lostCommits,
      underLoad: only === undefined || only.includes('load') ? await underLoad() : last?.underLoad,
      scenarios: SCENARIOS.flatMap(({ name }) => scenarios.get(name) ?? []),
    };
    writeFileSync(RESULTS, `${JSON.stringify(results, null, 1)}\n`);
    writeReport();
  } finally {
    run([...AS_SERVER, program('pg_ctl'), '-w', '-D', at('cluster'), '-m', 'fast', 'stop']);
  }
}

await main();
