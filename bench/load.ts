/**
 * What a backup costs those who work with the database meanwhile: transactions that pgbench makes a second, just before a
 * backup and during it.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LoadRound {
  /** Transactions a second before the backup. */
  beforeTps: number;
  /** Transactions a second while it runs. */
  duringTps: number;
  backupMs: number;
}

/** How pgbench and the programs are run. */
export interface LoadOptions {
  pgbench: string;
  database: string;
  environment: NodeJS.ProcessEnv;
}

const CLIENTS = 4;
/** Until the connections are there and the cache is warm. */
const WARM_MS = 3000;
const BEFORE_MS = 6000;

/** Runs a backup under load. @throws when it fails */
export async function measureUnderLoad(command: readonly string[], options: LoadOptions): Promise<LoadRound> {
  const { pgbench, database, environment: env } = options;
  const load = spawn(pgbench, ['-n', '-c', `${CLIENTS}`, '-j', '1', '-T', '3600', '-P', '1', database], {
    env,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    // In a session of its own, as applications are: a backup that goes behind others takes its own session with it.
    detached: true,
  });
  const seconds: { atMs: number; tps: number }[] = [];
  createInterface(load.stderr).on('line', (line) => {
    const tps = /^progress: .*?([\d.]+) tps/.exec(line)?.[1];
    if (tps !== undefined) seconds.push({ atMs: performance.now(), tps: Number(tps) });
  });
  try {
    await sleep(WARM_MS);
    const warmMs = performance.now();
    await sleep(BEFORE_MS);
    const startMs = performance.now();
    await runToEnd(command, env);
    const endMs = performance.now();
    // A line tells of the second before it.
    const mean = (fromMs: number, toMs: number): number => {
      const within = seconds.filter(({ atMs }) => atMs - 1000 >= fromMs && atMs <= toMs);
      if (within.length === 0) throw new Error('pgbench told nothing of the time of a backup');
      return within.reduce((sum, { tps }) => sum + tps, 0) / within.length;
    };
    return { beforeTps: mean(warmMs, startMs), duringTps: mean(startMs, endMs), backupMs: endMs - startMs };
  } finally {
    load.kill('SIGKILL');
    await once(load, 'close');
  }
}

async function runToEnd(command: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const [name, ...words] = command as [string, ...string[]];
  const child = spawn(name, words, { env, cwd: '/', stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${command.join(' ')} failed`);
}
