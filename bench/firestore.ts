/**
 * `npm run bench:firestore`: whole backups of a Firestore database, of the server of the tests in a process of its own, and
 * restores of it to a database that is made. Prints the documents a second, the processor time of Holdfast and its memory.
 *
 *   --documents N      in the database (100000)
 *   --rounds N         backups, each into a repository of its own (3)
 *   --directory DIR    for repositories
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure } from './measure.ts';
import { median } from './median.ts';

const HOLDFAST = fileURLToPath(new URL('../bin/holdfast', import.meta.url));
const SERVER_PROCESS = fileURLToPath(new URL('../test/support/firestore-process.ts', import.meta.url));
const PROJECT = 'bench';
const MEBIBYTE = 1024 * 1024;

const { values: options } = parseArgs({
  options: {
    documents: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    directory: { type: 'string', default: join(tmpdir(), 'holdfast-bench-firestore') },
  },
});

async function startServer(documents: number): Promise<{ child: ChildProcess; host: string }> {
  const child = spawn(process.execPath, [SERVER_PROCESS, `${documents}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, host: line.toString().trim() };
}

function writePlan(directory: string, host: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: bench
repositories: { main: { store: ./repository, password: { env: HOLDFAST_PASSWORD } } }
sources: { crm: { type: firestore, project: ${PROJECT}, emulator: '${host}' } }
`,
  );
}

const documents = Number(options.documents);

/** Documents a second. */
function report(what: string, { wallMs, cpuMs, peakRssBytes }: ReturnType<typeof measure>): number {
  const rate = (documents / wallMs) * 1000;
  const figures = [
    `${Math.round(rate)} documents/s`,
    `${((cpuMs / documents) * 1000).toFixed(0)} µs of processor time a document`,
    `${Math.round(peakRssBytes / MEBIBYTE)} MiB`,
  ];
  process.stdout.write(`${what} of ${documents}: ${figures.join(', ')}\n`);
  return rate;
}

const { child, host } = await startServer(documents);
try {
  const rates = { backup: [] as number[], restore: [] as number[] };
  for (let round = 0; round < Number(options.rounds); round++) {
    writePlan(options.directory, host);
    const run = { cwd: options.directory, env: { ...process.env, HOLDFAST_PASSWORD: 'benchmark' } };
    measure([HOLDFAST, 'init'], run);
    const to = ['--to', `firestore://${PROJECT}-${round}`, '--create', '--location', 'nam5'];
    rates.backup.push(report('backup', measure([HOLDFAST, 'backup'], run)));
    rates.restore.push(report('restore', measure([HOLDFAST, 'restore', 'crm', ...to], run)));
  }
  for (const [what, all] of Object.entries(rates)) {
    process.stdout.write(`${what}, median: ${Math.round(median(all))} documents/s\n`);
  }
} finally {
  child.stdin!.end();
  rmSync(options.directory, { recursive: true, force: true });
}
