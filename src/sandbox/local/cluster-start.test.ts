import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { requires, skipWithout } from '../../../test/support/requirements.ts';
import { systemClock } from '../../foundation/clock.ts';
import { type HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { listPostgresPrograms } from '../../foundation/postgres-programs.ts';
import type { PostgresClusterOptions } from './cluster-options.ts';
import { type PostgresCluster, startPostgresCluster } from './postgres-cluster.ts';

describe.skipIf(!requires('postgresql'))('a cluster that does not start', () => {
  let parentDirectory = '';

  afterEach(() => {
    rmSync(parentDirectory, { recursive: true, force: true });
    parentDirectory = '';
  });

  /** A cluster whose directory is the only one in its parent, so that anything left is seen. */
  async function start(options: Partial<PostgresClusterOptions> = {}): Promise<PostgresCluster> {
    if (parentDirectory === '') parentDirectory = mkdtempSync(join(tmpdir(), 'c-'));
    execFileSync('chmod', ['711', parentDirectory]);
    const [server] = await listPostgresPrograms(['initdb', 'postgres']);
    return startPostgresCluster({ server: server!, parentDirectory, clock: systemClock, ...options });
  }

  async function failure(starting: Promise<unknown>): Promise<HoldfastError> {
    const error = await starting.then(
      () => undefined,
      (reason) => reason,
    );
    if (!isHoldfastError(error)) throw new Error(`not a HoldfastError: ${error}`);
    return error;
  }

  it('says why with the end of the log when a setting is bad, and leaves nothing', async () => {
    const error = await failure(start({ settings: { shared_preload_libraries: 'not_installed' } }));
    expect(error).toMatchObject({ code: 'sandbox-failed' });
    expect(error.context['said']).toMatch(/could not access file "not_installed"/);
    expect(readdirSync(parentDirectory)).toEqual([]);
  });

  it('refuses a directory whose socket path would be too long, and makes nothing', async () => {
    parentDirectory = mkdtempSync(join(tmpdir(), 'c-'));
    const long = join(parentDirectory, 'x'.repeat(100));
    mkdirSync(long);
    const error = await failure(start({ parentDirectory: long }));
    expect(error.message).toMatch(/would have \d+ bytes, and 107 is the limit/);
    expect(readdirSync(long)).toEqual([]);
  });

  it('says which directory the unprivileged user cannot enter', async (context) => {
    skipWithout(context, 'root');
    parentDirectory = mkdtempSync(join(tmpdir(), 'c-'));
    const closed = join(parentDirectory, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const error = await failure(start({ parentDirectory: closed }));
    expect(error).toMatchObject({ code: 'sandbox-failed', hint: expect.stringContaining('nobody') });
    expect(readdirSync(closed)).toEqual([]);
  });

  it('says that there is no space, and leaves nothing', async (context) => {
    skipWithout(context, 'tmpfs');
    parentDirectory = mkdtempSync(join(tmpdir(), 'c-'));
    for (const size of ['300k', '20m', '36m']) {
      spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=711`, 'tmpfs', parentDirectory]);
      try {
        expect((await failure(start())).code).toBe('disk-full');
        expect(readdirSync(parentDirectory)).toEqual([]);
      } finally {
        spawnSync('umount', ['--lazy', parentDirectory]);
      }
    }
  });

  it('gives up when the signal fires, whatever it is at, and leaves nothing', async () => {
    for (const afterMs of [0, 60, 200, 400]) {
      const reason = new Error(`enough after ${afterMs} ms`);
      const controller = new AbortController();
      const starting = start({ signal: controller.signal });
      setTimeout(() => controller.abort(reason), afterMs);
      const outcome = await starting.then(
        (cluster) => cluster.stop(),
        (error) => error,
      );
      expect([reason, undefined]).toContain(outcome);
      expect(readdirSync(parentDirectory)).toEqual([]);
    }
  });

  it('gives up when the time is up, and leaves nothing', async () => {
    for (const startTimeoutMs of [1, 100]) {
      const error = await failure(start({ startTimeoutMs }));
      expect(error.message).toMatch(/did not (end|accept connections) within 0\.\d+ s/);
      expect(readdirSync(parentDirectory)).toEqual([]);
    }
  });

  it('gives up on a server that neither accepts connections nor ends when it is asked to', async () => {
    const [real] = await listPostgresPrograms(['initdb', 'postgres']);
    const stuck = join(mkdtempSync(join(tmpdir(), 'p-')), 'postgres');
    execFileSync('chmod', ['711', dirname(stuck)]);
    writeFileSync(stuck, "#!/bin/sh\ntrap '' QUIT\nwhile :; do sleep 1; done\n", { mode: 0o755 });
    const server = { ...real!, path: (program: string) => (program === 'postgres' ? stuck : real!.path('initdb')) };
    const error = await failure(start({ server, startTimeoutMs: 3000 }));
    expect(error.message).toBe('the sandbox server did not accept connections within 3 s');
    expect(readdirSync(parentDirectory)).toEqual([]);
  });
});
