import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { createLocalStore } from '../../src/store/local/index.ts';
import { runInThisProcess } from './command-here.ts';
import { PASSWORD, testRepository } from './repository.ts';

export { PASSWORD };

export const HOLDFAST = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

export interface Ran {
  /** The exit code; the name of the signal when one ended it. */
  exit: number | NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A directory that is removed when the test has finished. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The environment of a person who has a password set and nothing else of ours. */
export function environment(extra: Record<string, string> = {}): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  // Daemons of tests that run at the same time must not want the same port.
  const own = { XDG_STATE_HOME: join(tmpdir(), 'state'), HOLDFAST_LISTEN: '127.0.0.1:0' };
  return { PATH, HOME, HOLDFAST_PASSWORD: PASSWORD, ...own, ...extra };
}

/** Runs `bin/holdfast` as a user does. */
export function startHoldfast(
  directory: string,
  words: string[],
  env: Record<string, string> = environment(),
): { child: ChildProcess; done: Promise<Ran> } {
  const child = spawn(HOLDFAST, words, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => {
    stdout += bytes.toString();
  });
  child.stderr.on('data', (bytes: Buffer) => {
    stderr += bytes.toString();
  });
  const done = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve({ exit: status ?? signal, stdout, stderr }));
  });
  return { child, done };
}

/** Runs a command in this process, which spares its start: for all that needs no process of its own. */
export function holdfast(directory: string, words: string[], env = environment()): Promise<Ran> {
  return runInThisProcess(directory, words, env);
}

/** Makes the repository that `writePlan` names, as `holdfast init` does but for a key that opens at once. */
export async function initialise(directory: string, name = 'repository', password = PASSWORD): Promise<void> {
  await testRepository(createLocalStore(join(directory, name)), 2, password);
}

/** The one document that `--json` printed. */
// biome-ignore lint/suspicious/noExplicitAny: each test says itself what it expects in it
export function document(ran: Ran): any {
  return JSON.parse(ran.stdout);
}

/**
 * A directory with a plan for one cluster, `db`, and the plan's repository.
 * @param options of the source, beside the usual ones: `validate: [...]`
 */
export async function plannedCluster(
  url: string,
  options = '',
): Promise<{ directory: string; env: Record<string, string> }> {
  const directory = scratchDirectory();
  const more = options === '' ? '' : `, ${options}`;
  writePlan(directory, `  db: { type: postgres, method: physical, url: { env: DATABASE_URL }${more} }`);
  await initialise(directory);
  return { directory, env: environment({ DATABASE_URL: url }) };
}

/** Writes a plan with a repository `main` at `./repository` and these sources (YAML below `sources:`). */
export function writePlan(directory: string, sources: string, more = ''): void {
  writeFileSync(
    join(directory, 'holdfast.yaml'),
    `version: 1
name: test
objectives: { rpo: 1h, rto: 4h }
repositories:
  main: { store: ./repository, password: { env: HOLDFAST_PASSWORD } }
sources:
${sources}
${more}`,
  );
}
