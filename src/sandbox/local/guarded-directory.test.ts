import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { freshDirectoryPath, openGuardedDirectory } from './guarded-directory.ts';
import { sandboxUser } from './unprivileged-user.ts';

describe('a guarded directory', () => {
  it('stays until every process that holds its keeper is gone', async () => {
    const directory = await openGuardedDirectory(freshDirectoryPath());
    const holder = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore', directory.keeper] });
    const closed = directory.close();
    await delay(300);
    expect(existsSync(directory.path)).toBe(true);
    holder.stdin!.end();
    await closed;
    expect(existsSync(directory.path)).toBe(false);
  });

  it('is refused where something is already, and leaves that alone', async () => {
    const path = mkdtempSync(join(tmpdir(), 'g-'));
    await expect(openGuardedDirectory(path)).rejects.toMatchObject({
      code: 'sandbox-failed',
      context: { said: expect.stringContaining('exists') },
    });
    expect(existsSync(path)).toBe(true);
    rmSync(path, { recursive: true });
  });

  it('is removed although its guard was killed', async () => {
    const directory = await openGuardedDirectory(freshDirectoryPath());
    const guards = spawn('sh', [
      '-c',
      `grep -alF -- "$1" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3`,
      'sh',
      directory.path,
    ]);
    let found = '';
    for await (const bytes of guards.stdout) found += bytes;
    for (const pid of found.trim().split('\n').map(Number)) {
      if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
    }
    await directory.close();
    expect(existsSync(directory.path)).toBe(false);
  });

  it('is removed by an ordinary user although directories in it may not be written', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'g-'));
    chmodSync(parent, 0o777);
    const path = join(parent, 'guarded');
    const script = readFileSync(new URL('./guard-directory.sh', import.meta.url), 'utf8');
    const user = await sandboxUser();
    const asUser = user === undefined ? {} : { uid: user.uid, gid: user.gid };
    const guard = spawn('/bin/sh', ['-c', script, 'guard', path], { stdio: ['pipe', 'pipe', 'inherit'], ...asUser });
    await new Promise((resolve) => guard.stdout.once('data', resolve));
    const restoring = 'mkdir -p closed/deeper && touch closed/deeper/file && chmod 500 closed/deeper && chmod 0 closed';
    const closed = spawn('/bin/sh', ['-c', restoring], { cwd: path, ...asUser });
    await new Promise((resolve) => closed.once('exit', resolve));
    expect(existsSync(join(path, 'closed'))).toBe(true);
    guard.stdin.destroy();
    expect(await new Promise((resolve) => guard.once('exit', resolve))).toBe(0);
    expect(existsSync(path)).toBe(false);
    rmSync(parent, { recursive: true });
  });
});
