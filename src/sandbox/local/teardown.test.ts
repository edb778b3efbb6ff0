import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { requires } from '../../../test/support/requirements.ts';

const CLUSTER = `
  const { startPostgresCluster } = await import(${url('./postgres-cluster.ts')});
  const starting = startPostgresCluster({ server: { majorVersion: Number(process.env.MAJOR) }, clock });
`;

const BUSY_CLUSTER = `${CLUSTER}
  const { default: pg } = await import('pg');
  const cluster = await starting;
  const client = new pg.Client({ connectionString: cluster.adminUrl });
  await client.connect();
  client.query('select count(*) from generate_series(1, 1e12)').catch(() => {});
  tell(cluster.socketDirectory);
`;

const PRELUDE = `const { systemClock: clock } = await import(${url('../../foundation/clock.ts')});`;

const DIRECTORY = `
  const { openGuardedDirectory, freshDirectoryPath } = await import(${url('./guarded-directory.ts')});
  const directory = await openGuardedDirectory(freshDirectoryPath());
  const { mkdirSync, writeFileSync } = await import('node:fs');
  mkdirSync(directory.path + '/deep/er', { recursive: true });
  writeFileSync(directory.path + '/deep/er/file', 'restored data');
  tell(directory.path);
`;

const parents: ChildProcess[] = [];

afterEach(() => {
  for (const parent of parents.splice(0)) parent.kill('SIGKILL');
});

describe('a guarded directory', () => {
  it('is gone soon after its process was killed', async () => {
    const { parent, path } = await startParent(DIRECTORY);
    expect(existsSync(`${path}/deep/er/file`)).toBe(true);
    parent.kill('SIGKILL');
    await expectNothingLeft(path);
  });

  it('is gone after a Ctrl-C, which the terminal sends to the whole process group', async () => {
    const { parent, path } = await startParent(DIRECTORY);
    process.kill(-parent.pid!, 'SIGINT');
    await expectNothingLeft(path);
  });

  it('is gone after its whole process group was killed', async () => {
    const { parent, path } = await startParent(DIRECTORY);
    process.kill(-parent.pid!, 'SIGKILL');
    await expectNothingLeft(path);
  });

  it('is gone after its process ended without closing it, and does not keep it from ending', async () => {
    const { parent, path } = await startParent(`${DIRECTORY} clearInterval(hang);`);
    expect(await exitStatus(parent)).toBe(0);
    await expectNothingLeft(path);
  });

  it('outlives a shut-down that asks every process to end, until its own process has ended', async () => {
    const { parent, path } = await startParent(`process.on('SIGTERM', () => {}); ${DIRECTORY}`);
    const guards = processesOf(path);
    expect(guards).toHaveLength(1);
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.kill(guards[0]!, signal);
    await waitMs(200);
    expect(existsSync(path)).toBe(true);
    parent.kill('SIGKILL');
    await expectNothingLeft(path);
  });
});

describe.skipIf(!requires('postgresql'))('a cluster', () => {
  it('is gone soon after its process was killed, with every process of the server', async () => {
    const { parent, path } = await startParent(`${CLUSTER} tell((await starting).socketDirectory);`);
    expect(processesOf(path).length).toBeGreaterThan(4);
    parent.kill('SIGKILL');
    await expectNothingLeft(path);
  });

  it('is gone soon after its process was killed with a query at work', async () => {
    const { parent, path } = await startParent(BUSY_CLUSTER);
    await waitMs(200);
    parent.kill('SIGKILL');
    await expectNothingLeft(path);
  });

  it('is gone soon after its process was killed while initdb was at work', async () => {
    const { path } = await startParent(`${CLUSTER}
      starting.catch(() => {});
      const { readdirSync, existsSync } = await import('node:fs');
      const { tmpdir } = await import('node:os');
      const found = () => readdirSync(tmpdir()).map((name) => tmpdir() + '/' + name).find((path) => existsSync(path + '/data/base'));
      while (!found()) await new Promise((resolve) => setTimeout(resolve, 2));
      tell(found());
      process.kill(process.pid, 'SIGKILL');
    `);
    await expectNothingLeft(path);
  });

  it('is gone after its whole process group was interrupted, or killed', async () => {
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const { parent, path } = await startParent(BUSY_CLUSTER);
      await waitMs(200);
      process.kill(-parent.pid!, signal);
      await expectNothingLeft(path);
    }
  });
});

function url(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href);
}

/** A process of its own, in a group of its own and with a temporary directory of its own, that opens something. */
async function startParent(script: string): Promise<{ parent: ChildProcess; path: string }> {
  const whole = `const hang = setInterval(() => {}, 1000); const tell = (path) => console.log(path); ${PRELUDE} ${script}`;
  const temporaryDirectory = mkdtempSync(join(tmpdir(), 't-'));
  chmodSync(temporaryDirectory, 0o711);
  const parent = spawn(process.execPath, ['--input-type=module', '-e', whole], {
    cwd: new URL('.', import.meta.url).pathname,
    detached: true,
    env: { ...process.env, MAJOR: String(installedMajor()), TMPDIR: temporaryDirectory },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  parents.push(parent);
  const path = await new Promise<string>((resolve, reject) => {
    parent.stdout!.once('data', (bytes: Buffer) => resolve(bytes.toString().trim()));
    // Behind whatever it has said.
    parent.once('close', (status) => reject(new Error(`the process ended with ${status}`)));
  });
  return { parent, path };
}

function installedMajor(): number {
  return Math.max(...readdirSync('/usr/lib/postgresql').map(Number));
}

function exitStatus(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode);
    child.once('exit', resolve);
  });
}

async function expectNothingLeft(path: string): Promise<void> {
  await expect.poll(() => existsSync(path)).toBe(false);
  await expect.poll(() => processesOf(path)).toEqual([]);
}

/** Processes that work in a directory or were told of it; dead ones that nobody waited for have neither. */
function processesOf(path: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => tried(() => readlinkSync(`/proc/${pid}/cwd`)).startsWith(path) || commandOf(pid).includes(path))
    .map(Number);
}

function commandOf(pid: string): string {
  return tried(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
}

function tried(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

function waitMs(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
