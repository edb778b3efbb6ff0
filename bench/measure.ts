/**
 * Runs a program to its end and tells what it took: `node measure.ts PROGRAM [ARG…]` prints one line of JSON.
 *
 * A process of its own for each measurement: the system keeps only the largest memory of all children that a process ever
 * had. Its own memory of about 45 MB is the least that it can report.
 */

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';

export interface Measurement {
  wallMs: number;
  /** User and system time of the process and all of its children. */
  cpuMs: number;
  peakRssBytes: number;
}

const RUSAGE_CHILDREN = -1;
/** What Linux counts in, wherever it runs. */
const MS_PER_TICK = 10;

/** Runs this module as a process. @throws with what the program said, when it fails */
export function measure(command: string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Measurement {
  const ran = spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...command], {
    ...options,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (ran.status !== 0) throw new Error(`${command.join(' ')} failed: ${ran.stderr}`);
  return JSON.parse(ran.stdout) as Measurement;
}

/** Linux: user and system time that processes which are still at work have taken so far. */
export function processorMsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    // The name, which may hold anything, ends with the last parenthesis; the fields behind it begin with the third.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
  }, 0);
}

/** Linux and macOS: `struct rusage` begins with user and system time, then the largest memory. */
function childUsage(): { cpuMs: number; peakRssBytes: number } {
  const usage = Buffer.alloc(256);
  const getrusage = koffi.load(null).func('int getrusage(int who, _Out_ uint8_t *usage)');
  if (getrusage(RUSAGE_CHILDREN, usage) !== 0) throw new Error('the usage of children cannot be told');
  const word = (index: number): number => Number(usage.readBigInt64LE(index * 8));
  const cpuMs = (word(0) + word(2)) * 1000 + (word(1) + word(3)) / 1000;
  return { cpuMs, peakRssBytes: word(4) * (process.platform === 'darwin' ? 1 : 1024) };
}

function main([program, ...args]: string[]): void {
  const startMs = performance.now();
  const child = spawn(program!, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  child.on('exit', (code) => {
    const wallMs = performance.now() - startMs;
    process.exitCode = code === 0 ? 0 : 1;
    process.stdout.write(`${JSON.stringify({ wallMs, ...childUsage() })}\n`);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2));
