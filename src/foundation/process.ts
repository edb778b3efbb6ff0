import { type ChildProcess, spawn } from 'node:child_process';
import { HoldfastError, systemCode } from './errors.ts';

/** How a child program is run. */
export interface ProgramOptions {
  /** The whole environment of the child; nothing is inherited. Secrets go here or in a file of mode 0600. */
  environment: Readonly<Record<string, string>>;
  workingDirectory?: string;
  /** Run as this user and group; needs root. */
  user?: { uid: number; gid: number };
  /** How long it may run. Unlimited without. */
  timeoutMs?: number;
  /** Ends the program when it fires; the promise is then rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Text that standard input consists of; without, it is empty. */
  input?: string;
  /** Takes standard output as it comes, instead of the capture. Awaiting it holds the program back. */
  onOutput?: (bytes: Uint8Array) => void | Promise<void>;
  /** Exit statuses that are no failure: just 0 by default. */
  acceptedStatuses?: readonly number[];
  /** How much of each of standard output and standard error is kept: the last bytes of it. */
  captureLimitBytes?: number;
  /** What the program is called in messages; the last part of its path by default. */
  label?: string;
}

/** What a program that ran left behind. */
export interface ProgramResult {
  status: number;
  /** Its standard output, unless it was streamed; only the last part when `outputTruncated`. */
  output: string;
  outputTruncated: boolean;
  /** The last part of its standard error. */
  errorOutput: string;
}

const DEFAULT_CAPTURE_LIMIT_BYTES = 1 << 20;
const KILL_AFTER_MS = 5000;
const CONTEXT_LINES = 12;
const CONTEXT_CHARACTERS = 4000;

/**
 * Runs a program to its end. No shell is involved.
 * @throws program-missing when there is no such program; program-failed when it ends with another status than the
 *   accepted ones or by a signal, with the last lines of its standard error in the context; timed-out; and the reason
 *   of `signal` when that fired. The program has ended by the time any of these is thrown.
 */
export async function runProgram(
  path: string,
  programArguments: readonly string[],
  options: ProgramOptions,
): Promise<ProgramResult> {
  options.signal?.throwIfAborted();
  const label = options.label ?? path.slice(path.lastIndexOf('/') + 1);
  const child = spawn(path, programArguments, {
    env: { ...options.environment },
    ...(options.workingDirectory === undefined ? {} : { cwd: options.workingDirectory }),
    ...(options.user ?? {}),
    stdio: ['pipe', 'pipe', 'pipe'],
    // A process group of its own: what the program started ends with it, and a terminal's Ctrl-C reaches Holdfast first.
    detached: true,
  });
  const stopper = stopOnDemand(child, options);
  try {
    const limitBytes = options.captureLimitBytes ?? DEFAULT_CAPTURE_LIMIT_BYTES;
    const output = new Tail(limitBytes);
    const errorOutput = new Tail(limitBytes);
    child.stderr.on('data', (bytes: Buffer) => errorOutput.add(bytes));
    // A program that ends without reading its input is judged by its exit status, not by the broken pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    const ended = whenEnded(child, label, options.workingDirectory);
    const consumed = consume(child, options.onOutput ?? ((bytes) => output.add(bytes)));
    const [end, consumption] = await Promise.allSettled([ended, consumed]);
    if (end.status === 'rejected') throw end.reason;
    if (options.signal?.aborted) throw options.signal.reason;
    if (stopper.timedOut()) throw timedOut(label, options.timeoutMs ?? 0, errorOutput.text());
    if (consumption.status === 'rejected') throw consumption.reason;
    const { status, signal } = end.value;
    if (status === null || !(options.acceptedStatuses ?? [0]).includes(status)) {
      throw failed(label, status, signal, errorOutput.text());
    }
    return { status, output: output.text(), outputTruncated: output.truncated, errorOutput: errorOutput.text() };
  } finally {
    stopper.dispose();
  }
}

/** The last lines of what a program wrote, short enough for a message. */
export function lastLines(text: string, lines: number = CONTEXT_LINES): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n').slice(-CONTEXT_CHARACTERS);
}

/** The last `limitBytes` of a stream. */
class Tail {
  readonly #limitBytes: number;
  #chunks: Buffer[] = [];
  #sizeBytes = 0;
  truncated = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  add(bytes: Uint8Array): void {
    this.#chunks.push(Buffer.from(bytes));
    this.#sizeBytes += bytes.length;
    // Cutting only when twice the limit is reached keeps the cost per byte constant.
    if (this.#sizeBytes > 2 * this.#limitBytes) this.#cut();
  }

  text(): string {
    this.#cut();
    return Buffer.concat(this.#chunks).toString('utf8');
  }

  #cut(): void {
    if (this.#sizeBytes <= this.#limitBytes) return;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [Buffer.from(all.subarray(all.length - this.#limitBytes))];
    this.#sizeBytes = this.#limitBytes;
    this.truncated = true;
  }
}

async function consume(child: ChildProcess, take: (bytes: Uint8Array) => void | Promise<void>): Promise<void> {
  try {
    for await (const bytes of child.stdout!) await take(bytes as Buffer);
  } catch (error) {
    endGroup(child, 'SIGKILL');
    throw error;
  }
}

function whenEnded(
  child: ChildProcess,
  label: string,
  workingDirectory: string | undefined,
): Promise<{ status: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      // An error without a process is a failure to start; one with a process (a failed kill) does not end it.
      if (child.pid === undefined) reject(notStarted(error, label, workingDirectory));
    });
    child.once('close', (status, signal) => resolve({ status, signal }));
  });
}

/** Ends the child when the time is up or the signal fires: politely first, then without asking. */
function stopOnDemand(child: ChildProcess, options: ProgramOptions): { timedOut(): boolean; dispose(): void } {
  let expired = false;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = () => {
    endGroup(child, 'SIGTERM');
    killTimer ??= setTimeout(() => endGroup(child, 'SIGKILL'), KILL_AFTER_MS);
  };
  const expire = () => {
    expired = true;
    stop();
  };
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(expire, options.timeoutMs);
  options.signal?.addEventListener('abort', stop, { once: true });
  return {
    timedOut: () => expired,
    dispose: () => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      options.signal?.removeEventListener('abort', stop);
    },
  };
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // The group is gone already, which is what was wanted. A program of another user can be ended by its id at least.
    if (systemCode(error) !== 'ESRCH') child.kill(signal);
  }
}

function notStarted(error: Error, label: string, workingDirectory: string | undefined): HoldfastError {
  const code = systemCode(error);
  // A missing working directory gives ENOENT too; spawn does not tell the two apart, so the message names both.
  const missing = code === 'ENOENT' || code === 'EACCES' || code === 'ENOEXEC';
  return new HoldfastError(missing ? 'program-missing' : 'program-failed', `${label} could not be started`, {
    hint: missing
      ? `Install ${label}, or see whether it may be executed.`
      : 'See whether the machine is out of processes or memory.',
    context: { program: label, reason: code ?? error.message, workingDirectory },
    cause: error,
  });
}

function failed(label: string, status: number | null, signal: string | null, errorOutput: string): HoldfastError {
  const how = status === null ? `was ended by ${signal ?? 'a signal'}` : `ended with exit status ${status}`;
  return new HoldfastError('program-failed', `${label} ${how}`, {
    hint: 'What the program said last tells why.',
    context: { program: label, status: status ?? undefined, signal: signal ?? undefined, said: lastLines(errorOutput) },
  });
}

function timedOut(label: string, timeoutMs: number, errorOutput: string): HoldfastError {
  return new HoldfastError('timed-out', `${label} did not end within ${timeoutMs / 1000} s`, {
    hint: 'Allow it more time, or see what it waits for.',
    context: { program: label, timeoutMs, said: lastLines(errorOutput) },
  });
}
