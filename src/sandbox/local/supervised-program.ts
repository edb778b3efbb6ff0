import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { chmod, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { messageOf } from '../../foundation/errors.ts';
import { setReferenced } from './guarded-directory.ts';
import type { SystemUser } from './unprivileged-user.ts';

export interface SupervisedProgramOptions {
  /** The program's path and its arguments. */
  command: readonly [string, ...string[]];
  user: SystemUser | undefined;
  /** The working directory, and the keeper of the guarded directory that the program works in. */
  directory: string;
  keeper: Writable;
  /** Which processes belong to the cluster: those of this server program in this data directory. */
  serverProgram: string;
  dataDirectory: string;
  /** A file that takes the program's output. Without, its end is kept in memory. */
  logPath?: string;
  /** How the program is asked to end, and how long it may take until it is killed. */
  stopSignal: 'TERM' | 'INT' | 'QUIT';
  graceSeconds: number;
}

export interface ProgramEnd {
  /** The exit status, 128 more than the signal's number when a signal ended it. */
  status: number;
  /** The end of what it said, where that does not go to a log; also what the supervisor itself had to say. */
  said: string;
}

export interface SupervisedProgram {
  /** Resolves when the program has ended, in whichever way, and nothing of it is left running. */
  ended: Promise<ProgramEnd>;
  /** Asks it to end, and waits for that. May be called again, and after it ended. */
  stop(): Promise<ProgramEnd>;
}

const KILLED_STATUS = 128 + 9;
const SAID_LIMIT_CHARACTERS = 4000;

/**
 * Runs a program of a PostgreSQL cluster under a small supervisor, which stops it when `stop` is called and when this
 * process is gone, by SIGKILL too.
 */
export async function superviseProgram(options: SupervisedProgramOptions): Promise<SupervisedProgram> {
  // A copy where the unprivileged user may read it, which need not be so where this program is installed.
  const script = join(options.directory, 'supervise-program.sh');
  await copyFile(new URL('./supervise-program.sh', import.meta.url), script);
  await chmod(script, 0o755);
  const child = spawn('/bin/sh', [script, ...supervisorArguments(options)], {
    cwd: '/',
    env: {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: options.directory,
      LC_ALL: 'C.UTF-8',
      TZ: 'UTC',
    },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', options.keeper],
    ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid }),
  }) as ChildProcessByStdio<Writable, Readable, Readable>;
  child.stdin.on('error', () => {});
  child.stdout.resume();
  const ended = watchEnd(child);
  setReferenced(child, false);
  return {
    ended,
    stop: () => {
      setReferenced(child, true);
      child.stdin.destroy();
      return ended;
    },
  };
}

function supervisorArguments(options: SupervisedProgramOptions): string[] {
  const { stopSignal, graceSeconds, directory, serverProgram, dataDirectory, logPath, command } = options;
  return [stopSignal, String(graceSeconds), directory, serverProgram, dataDirectory, logPath ?? '', ...command];
}

function watchEnd(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<ProgramEnd> {
  let said = '';
  const hear = (text: string) => {
    said = (said + text).slice(-SAID_LIMIT_CHARACTERS);
  };
  child.stderr.on('data', (bytes: Buffer) => hear(bytes.toString()));
  return new Promise((resolve) => {
    child.once('error', (error) => {
      hear(messageOf(error));
      if (child.pid === undefined) resolve({ status: 127, said });
    });
    // Where the supervisor itself was killed this comes only when its other half has stopped the program.
    child.once('close', (status) => resolve({ status: status ?? KILLED_STATUS, said }));
  });
}
