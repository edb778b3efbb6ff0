/**
 * How much is lost when a primary and its disk are gone from one moment to the next: pgbench commits, `holdfast follow`
 * captures the log, the server is killed and its directory removed, and what the repository has is restored to its end.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LostCommits {
  /** How often the follower makes durable what came. */
  every: string;
  /** From the last commit that came back until the server was killed, of each round. */
  lostMs: number[];
  /** Commits that were made in all rounds. */
  commits: number;
}

/** What it needs of whoever runs it. */
export interface Bench {
  directory: string;
  asServer: readonly string[];
  program(name: string): string;
  holdfast(...words: string[]): string[];
  environment: NodeJS.ProcessEnv;
  run(command: readonly string[], mayFail?: boolean): string;
  makeForServer(directory: string): void;
}

const PORT = '54992';
const LOAD_MS = 12_000;

/** @param every as `holdfast follow --every` takes it; undefined for what is usual */
export async function measureLostCommits(
  bench: Bench,
  every: string | undefined,
  rounds: number,
): Promise<LostCommits> {
  const lost: LostCommits = { every: every ?? 'as usual', lostMs: [], commits: 0 };
  for (let round = 0; round < rounds; round++) {
    const { lostMs, commits } = await loseOnce(bench, every);
    lost.lostMs.push(lostMs);
    lost.commits += commits;
  }
  return lost;
}

/** With its children, which would go on sending what they have for a moment: a machine that burns does not. */
function killServer(data: string): void {
  const [pid] = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  const children = spawnSync('pgrep', ['-P', pid!], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  // One that ended in between is nobody's loss.
  spawnSync('kill', ['-KILL', pid!, ...children]);
}

async function loseOnce(bench: Bench, every: string | undefined): Promise<{ lostMs: number; commits: number }> {
  const place = join(bench.directory, 'lost');
  const data = join(place, 'data');
  rmSync(place, { recursive: true, force: true });
  bench.makeForServer(place);
  const env = { ...bench.environment, HOLDFAST_PLAN: join(place, 'holdfast.yaml'), PGHOST: place, PGPORT: PORT };
  const { run, asServer, program, holdfast } = bench;
  run([...asServer, program('initdb'), '-A', 'trust', '-U', 'postgres', '-D', data]);
  const settings = `-c listen_addresses= -c port=${PORT} -c unix_socket_directories=${place}`;
  run([...asServer, program('pg_ctl'), '-w', '-D', data, '-l', join(place, 'log'), '-o', settings, 'start']);
  const at = (command: readonly string[]): string => {
    const [name, ...args] = command as [string, ...string[]];
    const { status, stdout, stderr } = spawnSync(name, args, { cwd: '/', env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command.join(' ')} failed: ${stderr}${stdout}`);
    return stdout;
  };
  at(['psql', '-qc', 'create table done (at timestamptz)']);
  writeFileSync(join(place, 'insert.sql'), 'insert into done values (clock_timestamp());\n');
  const url = `postgres://postgres@/postgres?host=${encodeURIComponent(place)}&port=${PORT}`;
  writeFileSync(
    env.HOLDFAST_PLAN,
    `version: 1
name: lost
repositories: { main: { store: ${join(place, 'repository')}, password: { env: HOLDFAST_BENCH_PASSWORD } } }
sources: { cluster: { type: postgres, url: ${JSON.stringify(url)}, method: physical, wal: stream } }
`,
  );
  at(holdfast('init'));
  at(holdfast('backup'));
  const start = (command: readonly string[]): ChildProcess => {
    const [name, ...args] = command as [string, ...string[]];
    return spawn(name, args, { cwd: '/', env, stdio: 'ignore' });
  };
  const follower = start(holdfast('follow', ...(every === undefined ? [] : ['--every', every])));
  const load = start([program('pgbench'), '-n', '-c', '2', '-T', '600', '-f', join(place, 'insert.sql'), 'postgres']);
  // Another moment of the follower's turn in each round.
  await sleep(LOAD_MS + Math.random() * 5000);
  const commits = Number(at(['psql', '-qAtc', 'select count(*) from done']));
  const killedMs = Date.now();
  killServer(data);
  rmSync(data, { recursive: true, force: true, maxRetries: 5 });
  load.kill('SIGKILL');
  await sleep(1000);
  follower.kill('SIGINT');
  await once(follower, 'exit');
  const restored = join(place, 'restored');
  at(holdfast('restore', 'cluster', '--to', restored, '--at', 'latest'));
  run([...asServer, program('pg_ctl'), '-w', '-D', restored, '-l', join(place, 'log'), '-o', settings, 'start']);
  const lastMs = Number(at(['psql', '-qAtc', 'select extract(epoch from max(at)) * 1000 from done']));
  run([...asServer, program('pg_ctl'), '-w', '-D', restored, '-m', 'immediate', 'stop']);
  rmSync(place, { recursive: true, force: true });
  return { lostMs: Math.max(0, Math.round(killedMs - lastMs)), commits };
}
