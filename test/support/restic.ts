/** Stock restic, run on repositories of tests. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import { openRepository } from '../../src/repository/index.ts';
import { changePassword } from '../../src/repository/keys.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { PASSWORD } from './repository.ts';

const TURN_MS = 20_000;

export interface ResticResult {
  status: number;
  output: string;
  errorOutput: string;
}

/** Runs restic on a repository in a directory. @throws when it fails, unless `mayFail` */
export function restic(
  repository: string,
  resticArguments: string[],
  { mayFail = false, password = PASSWORD }: { mayFail?: boolean; password?: string } = {},
): ResticResult {
  const { status, stdout, stderr } = spawnSync('restic', ['--no-cache', '--repo', repository, ...resticArguments], {
    encoding: 'utf8',
    env: { ...process.env, RESTIC_PASSWORD: password },
    maxBuffer: 64 << 20,
  });
  const result = { status: status ?? -1, output: stdout, errorOutput: stderr };
  if (result.status !== 0 && !mayFail) throw new Error(`restic ${resticArguments.join(' ')}: ${stderr}${stdout}`);
  return result;
}

/**
 * Runs restic's own check, reading all data. It needs the repository for itself, and this restic cannot wait for its
 * turn: it is asked again while another process is at work there, for as long as `TURN_MS`.
 * @throws with what it says when it is not clean
 */
export function resticCheck(repository: string): void {
  const lastMs = Date.now() + TURN_MS;
  for (;;) {
    const { status, output, errorOutput } = restic(repository, ['check', '--read-data'], { mayFail: true });
    if (status === 0) return;
    if (!errorOutput.includes('already locked') || Date.now() > lastMs) {
      throw new Error(`restic check --read-data: ${errorOutput}${output}`);
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
}

/** The same of a repository in a store that this restic cannot be sent to: in a directory, with the same names. */
export async function resticCheckCopy(store: ObjectStore): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'copied-'));
  for await (const { key } of store.list('')) {
    const file = join(directory, key);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, await store.get(key));
  }
  resticCheck(directory);
}

/** A repository that restic makes, whose key then becomes one that opens at once. */
export async function initialiseWithRestic(directory: string, version: 1 | 2): Promise<void> {
  restic(directory, ['init', '--repository-version', `${version}`]);
  const repository = await openRepository(createLocalStore(directory), PASSWORD);
  await changePassword(repository, PASSWORD, systemClock, { kdf: { N: 2, r: 1, p: 1 } });
}
