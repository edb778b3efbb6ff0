import { getCompileCacheDir } from 'node:module';
import { getPriority } from 'node:os';
import { dirname, extname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { MessageChannel, receiveMessageOnPort, type Transferable, Worker } from 'node:worker_threads';
import { HoldfastError } from './errors.ts';
import { type Assignment, END, type Foreseen, OVER, SPENT } from './work.ts';

/** What a thread works on lies in shared memory; without a limit the engine lets short-lived objects take 16 MB or more. */
const MAX_YOUNG_GENERATION_MB = 3;

/**
 * Where a WebAssembly module calls JavaScript often, the engine compiles the way there anew, and frees the old one: with
 * several threads at it, Node 24 then ends the process ("Check failed: jit_page.has_value()"). Node's own reader of
 * TypeScript is such a module, and the only one that threads load. Calls that are never often enough avoid it.
 */
const NO_WRAPPER_TIERING = '--wasm-wrapper-tiering-budget=2147483647';

/** A command does one thing after the other, and so do its threads; to start one takes 50 ms and more of a processor. */
const IDLE_MS = 2000;

/** A thread that waits for work, or has some. */
interface Thread {
  worker: Worker;
  /** What it was started with, and keeps. */
  priority: number;
  hasEnded: boolean;
  /** What its present work does when the thread has ended. */
  onEnd: (error: unknown) => void;
  idleTimer?: NodeJS.Timeout;
}

/** Who has a thread do something. */
export interface ThreadListener<Message> {
  onMessage(message: Message): void;
  /** It ended before its work did. Called once at most, and nothing comes after it. */
  onError(error: unknown): void;
}

/** Work that a thread does. */
export interface ThreadWork {
  post(message: unknown, transferred?: readonly Transferable[]): void;
  /** Resolves once it is over, in whichever way, and all its messages have been heard. */
  ended: Promise<void>;
}

const idle = new Set<Thread>();

/**
 * Has a thread do the `work` (see `Work`) of the module `name` beside the module at `callerUrl`: one that is there and has
 * nothing to do, or a new one. A thread waits a while for more work then, which keeps no process from its end.
 */
export function runOnThread<Message>(
  callerUrl: string,
  name: string,
  input: unknown,
  listener: ThreadListener<Message>,
): ThreadWork {
  const thread = takeIdleThread() ?? startThread();
  const { port1: port, port2 } = new MessageChannel();
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const over = (): void => {
    port.close();
    thread.onEnd = () => {};
    resolve();
  };
  let isOver = false;
  const hear = (message: Message | typeof OVER | typeof SPENT): void => {
    if (message !== OVER && message !== SPENT) {
      listener.onMessage(message);
      return;
    }
    isOver = true;
    over();
    if (message === OVER) awaitWork(thread);
  };
  thread.onEnd = (error) => {
    for (let last = receiveMessageOnPort(port); last !== undefined; last = receiveMessageOnPort(port))
      hear(last.message);
    if (isOver) return;
    listener.onError(error);
    over();
  };
  port.on('message', hear);
  const assignment: Assignment = { module: siblingUrl(callerUrl, name).href, input, port: port2 };
  thread.worker.postMessage(assignment, [port2]);
  return { post: (message, transferred = []) => port.postMessage(message, [...transferred]), ended };
}

/**
 * Starts threads that load what they will be given to do while whoever will give it to them waits for something else: as many as
 * are missing, one after the other, so that they take one processor. Where they are given nothing they end after a while.
 */
export function startThreadsAhead(callerUrl: string, name: string, count: number): void {
  startAhead({ foreseen: siblingUrl(callerUrl, name).href }, count - idle.size);
}

function startAhead(foreseen: Foreseen, missing: number): void {
  if (missing <= 0) return;
  const thread = startThread();
  thread.worker.postMessage(foreseen);
  awaitWork(thread);
  // Once it has work, whoever gave it to it has started the others, too.
  thread.worker.once('online', () => idle.has(thread) && startAhead(foreseen, missing - 1));
}

/** Ends the threads that have nothing to do. They are asked, not killed: see `ReadPool.close`. */
export function endIdleThreads(): void {
  for (const thread of idle) endThread(thread);
}

function siblingUrl(url: string, name: string): URL {
  return new URL(`./${name}${extname(url)}`, url);
}

/** What Node keeps compiled for this process serves the thread too: without it each thread would load a compiler of its own. */
function startThread(): Thread {
  if (extname(import.meta.url) === '.ts') setFlagsFromString(NO_WRAPPER_TIERING);
  const compiled = getCompileCacheDir();
  const worker = new Worker(siblingUrl(import.meta.url, 'worker'), {
    resourceLimits: { maxYoungGenerationSizeMb: MAX_YOUNG_GENERATION_MB },
    // Below the directory that was asked for, Node keeps one for each of its versions.
    ...(compiled !== undefined && { env: { ...process.env, NODE_COMPILE_CACHE: dirname(compiled) } }),
  });
  const thread: Thread = { worker, priority: getPriority(), hasEnded: false, onEnd: () => {} };
  let failure: unknown = new HoldfastError('internal', 'a thread ended before its work did');
  worker.on('error', (error) => {
    failure = error;
  });
  worker.on('exit', () => {
    thread.hasEnded = true;
    forget(thread);
    thread.onEnd(failure);
  });
  return thread;
}

/** One of another priority serves no longer. */
function takeIdleThread(): Thread | undefined {
  const priority = getPriority();
  for (const thread of idle) {
    if (thread.priority !== priority) continue;
    forget(thread);
    thread.worker.ref();
    return thread;
  }
  return undefined;
}

function awaitWork(thread: Thread): void {
  if (thread.hasEnded) return;
  thread.worker.unref();
  thread.idleTimer = setTimeout(() => endThread(thread), IDLE_MS).unref();
  idle.add(thread);
}

function endThread(thread: Thread): void {
  forget(thread);
  thread.worker.postMessage(END);
}

function forget(thread: Thread): void {
  idle.delete(thread);
  clearTimeout(thread.idleTimer);
}
