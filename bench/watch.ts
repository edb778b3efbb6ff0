/**
 * What following many files costs: how long until a change is in the repository, and what waiting takes.
 * `npm run bench:watch -- [--files 100000] [--changes 20] [--idle 60]`; figures go to the terminal.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './median.ts';

const HOLDFAST = fileURLToPath(new URL('../bin/holdfast', import.meta.url));
const FILES_IN_A_DIRECTORY = 100;
const LOOK_EVERY_MS = 20;
const LONGEST_WAIT_MS = 15 * 60_000;
/** Until what the first look took is given back. */
const REST_MS = 15_000;

interface Settings {
  files: number;
  changes: number;
  idleSeconds: number;
}

function settings(): Settings {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { files: text, changes: text, idle: text } });
  const number = (given: string | undefined, fallback: number): number => Number(given ?? fallback);
  return {
    files: number(values.files, 100_000),
    changes: number(values.changes, 20),
    idleSeconds: number(values.idle, 60),
  };
}

function prepare(directory: string, files: number): void {
  for (let at = 0; at < files; at++) {
    const place = join(directory, 'data', `${Math.floor(at / FILES_IN_A_DIRECTORY)}`);
    if (at % FILES_IN_A_DIRECTORY === 0) mkdirSync(place, { recursive: true });
    writeFileSync(join(place, `file-${at}.txt`), `content of ${at}`);
  }
  const source = JSON.stringify({ type: 'files', paths: [join(directory, 'data')], schedule: 'continuous' });
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: bench
repositories: { main: { store: ./repository, password: { env: HOLDFAST_BENCH_PASSWORD } } }
sources: { data: ${source} }
`,
  );
}

/** Waits until there are more snapshots than before. @returns how long that took */
async function untilSnapshot(directory: string, before: number): Promise<number> {
  const startMs = performance.now();
  while (snapshotsIn(directory) <= before) {
    await sleep(LOOK_EVERY_MS);
    if (performance.now() - startMs > LONGEST_WAIT_MS) throw new Error('no snapshot came');
  }
  return performance.now() - startMs;
}

function snapshotsIn(directory: string): number {
  const place = join(directory, 'repository', 'snapshots');
  return existsSync(place) ? readdirSync(place).length : 0;
}

/** Of a process: user and system time so far, and memory now. */
function usageOf(pid: number): { cpuMs: number; rssMib: number; peakRssMib: number } {
  const ticks = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024;
  return {
    cpuMs: (Number(ticks[11]) + Number(ticks[12])) * 10,
    rssMib: Math.round(mib('VmRSS')),
    peakRssMib: Math.round(mib('VmHWM')),
  };
}

async function run({ files, changes, idleSeconds }: Settings, directory: string): Promise<void> {
  prepare(directory, files);
  const env = { ...process.env, HOLDFAST_BENCH_PASSWORD: 'benchmark' };
  const made = spawnSync(HOLDFAST, ['init'], { cwd: directory, env, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  const follower = spawn(HOLDFAST, ['--no-progress', 'follow'], { cwd: directory, env, stdio: 'inherit' });
  try {
    const firstMs = await untilSnapshot(directory, 0);
    console.log(`the first snapshot of ${files} files: ${(firstMs / 1000).toFixed(1)} s`);
    await sleep(REST_MS);
    const before = usageOf(follower.pid!);
    await sleep(idleSeconds * 1000);
    const after = usageOf(follower.pid!);
    const share = (after.cpuMs - before.cpuMs) / (idleSeconds * 1000);
    console.log(`idle for ${idleSeconds} s: ${(share * 100).toFixed(2)} % of a processor, ${after.rssMib} MiB`);
    const latenciesMs: number[] = [];
    for (let change = 0; change < changes; change++) {
      const known = snapshotsIn(directory);
      writeFileSync(join(directory, 'data', '0', 'changing'), `change ${change}`);
      latenciesMs.push(await untilSnapshot(directory, known));
    }
    const busy = usageOf(follower.pid!);
    const perChangeMs = (busy.cpuMs - after.cpuMs) / changes;
    console.log(
      `a change is in the repository after ${Math.round(median(latenciesMs))} ms, ${Math.round(Math.max(...latenciesMs))} ms at most, for ${Math.round(perChangeMs)} ms of a processor; never more than ${busy.peakRssMib} MiB`,
    );
  } finally {
    follower.kill('SIGINT');
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const directory = mkdtempSync(join(tmpdir(), 'bench-watch-'));
  try {
    await run(settings(), directory);
  } finally {
    await sleep(2000);
    rmSync(directory, { recursive: true, force: true });
  }
}
