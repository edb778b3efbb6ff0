import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { makeDirectories } from './directories.ts';
import { userStateDirectory } from './user-state.ts';

const SESSION = '/proc/self/autogroup';
const SCRIPT = fileURLToPath(new URL('./weigh-session.sh', import.meta.url));

/**
 * Where Linux weighs sessions against each other, a niceness of one's own counts among the processes of the session alone, and
 * a database server has one of its own (sched(7), "The autogroup feature"). A small process beside this one lowers the weight of
 * the session, and gives it back when this one is gone, by SIGKILL too, and no other one in the session wants the same.
 * @returns gives it back; undefined where the kernel has nothing of the kind, or something that it takes is missing: nothing but
 *   speed hangs on it
 */
export async function lowerSession(niceness: number): Promise<(() => void) | undefined> {
  const file = await sessionFile();
  if (file === undefined) return undefined;
  const { PATH = '/usr/bin:/bin' } = process.env;
  const keeper = spawn('/bin/sh', [SCRIPT, file, `${niceness}`], {
    ...{ cwd: '/', env: { PATH, LC_ALL: 'C' } },
    stdio: ['pipe', 'pipe', 'ignore'],
  }) as ChildProcessByStdio<Writable, Readable, null>;
  keeper.stdin.on('error', () => {});
  const over = new AbortController();
  const said = once(keeper.stdout, 'data', { signal: over.signal }).then(() => true);
  const ended = once(keeper, 'close', { signal: over.signal }).then(() => false);
  const isLow = await Promise.race([said, ended]).catch(() => false);
  over.abort();
  await Promise.allSettled([said, ended]);
  keeper.stdout.destroy();
  keeper.unref();
  (keeper.stdin as Socket).unref();
  return isLow ? () => void keeper.stdin.end() : undefined;
}

/** What all processes of this user know of this session by. */
async function sessionFile(): Promise<string | undefined> {
  const state = userStateDirectory(process.env);
  try {
    const [name] = /autogroup-\d+/.exec(readFileSync(SESSION, 'utf8')) ?? [];
    if (name === undefined || state === undefined) return undefined;
    const directory = join(state, 'sessions');
    await makeDirectories(directory, 0o700);
    return join(directory, name);
  } catch {
    return undefined;
  }
}
