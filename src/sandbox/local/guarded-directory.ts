import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';

/** A directory that is removed when it is closed, and also when this process dies without closing it. */
export interface GuardedDirectory {
  path: string;
  /**
   * Given to a child process as an inherited file descriptor, it keeps the directory until that process is gone too.
   * Nothing is ever written to it.
   */
  keeper: Writable;
  /**
   * Has `close` leave the directory under another path of the same file system, and this process's death remove it as ever.
   */
  keepAs(path: string): void;
  /**
   * Removes the directory once every process that holds the keeper is gone. May be called again.
   * @throws sandbox-failed when something of it is left, naming the directory
   */
  close(): Promise<void>;
}

type Guard = ChildProcessByStdio<Writable, Readable, Readable>;

/** A path for a new directory that nobody else will choose. Short: Unix socket paths are limited. */
export function freshDirectoryPath(parentDirectory: string = tmpdir()): string {
  return join(parentDirectory, `holdfast-${randomBytes(5).toString('hex')}`);
}

/**
 * Makes a directory of mode 0700 that a small process beside this one guards: it removes it as soon as this process
 * closes it or is gone, by SIGKILL too.
 * @throws sandbox-failed when it cannot be made
 */
export async function openGuardedDirectory(path: string): Promise<GuardedDirectory> {
  const guard = spawnGuard(path);
  let said = '';
  guard.stderr.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => guard.once('close', () => resolve()));
  const ready = await new Promise<boolean>((resolve) => {
    guard.stdout.once('data', () => resolve(true));
    guard.once('close', () => resolve(false));
    guard.once('error', (error) => {
      said = messageOf(error);
      resolve(false);
    });
  });
  if (!ready) throw notMade(path, said);
  setReferenced(guard, false);
  let closing: Promise<void> | undefined;
  let keptAs: string | undefined;
  const closeOnce = async (): Promise<void> => {
    const failure = keptAs === undefined ? undefined : await keptOrNot(path, keptAs);
    await release(guard, ended, path);
    if (failure !== undefined) throw failure;
  };
  const close = () => {
    closing ??= closeOnce();
    return closing;
  };
  const keepAs = (as: string): void => {
    keptAs = as;
  };
  return { path, keeper: guard.stdin, keepAs, close };
}

/** A server may have been given the directory: what is kept is this user's, and nobody else comes in. */
async function keptOrNot(path: string, as: string): Promise<HoldfastError | undefined> {
  try {
    const [uid, gid] = [process.getuid?.(), process.getgid?.()];
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
    await rename(path, as);
    return undefined;
  } catch (cause) {
    return notKept(path, cause);
  }
}

function notKept(path: string, cause: unknown): HoldfastError {
  return new HoldfastError('sandbox-failed', `what was restored to ${path} could not be kept: ${messageOf(cause)}`, {
    hint: 'It is removed. The proof itself says whether it came back.',
    context: { path },
    cause,
  });
}

function spawnGuard(path: string): Guard {
  const script = fileURLToPath(new URL('./guard-directory.sh', import.meta.url));
  // A session of its own: a Ctrl-C in the terminal goes to this process's group and must not reach the guard.
  const guard = spawn('/bin/sh', [script, path], {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  guard.stdin.on('error', () => {});
  return guard;
}

async function release(guard: Guard, ended: Promise<void>, path: string): Promise<void> {
  setReferenced(guard, true);
  // Not end(): that would shut the pipe down for the other processes that still hold it.
  guard.stdin.destroy();
  await ended;
  try {
    // The guard has done this already, unless it was killed.
    await rm(path, { recursive: true, force: true });
  } catch (cause) {
    throw new HoldfastError('sandbox-failed', `the sandbox directory ${path} could not be removed`, {
      hint: 'Remove it by hand: it may hold restored data.',
      context: { path },
      cause,
    });
  }
}

/** A sandbox that somebody forgot to close must not keep the process from ending; its end then closes it. */
export function setReferenced(child: ChildProcessByStdio<Writable, Readable, Readable>, referenced: boolean): void {
  const streams = [child.stdin, child.stdout, child.stderr] as unknown as { ref(): void; unref(): void }[];
  for (const each of [child, ...streams]) {
    if (referenced) each.ref();
    else each.unref();
  }
}

function notMade(path: string, said: string): HoldfastError {
  return new HoldfastError('sandbox-failed', `the sandbox directory ${path} could not be made`, {
    hint: 'Let TMPDIR name a directory that exists, can be written, and has space.',
    context: { path, said: said.trim() },
  });
}
