import { getPriority } from 'node:os';
import type { MessagePort } from 'node:worker_threads';
import { threadId } from 'node:worker_threads';

/** Work for tests of threads: it says where it is done, and ends as it is told to. */

export interface Wanted {
  messages?: number;
  end: 'good' | 'spent' | 'throws' | 'exits' | 'asked';
}

export interface Said {
  thread: number;
  number: number;
  /** Of the thread, where it has one of its own. */
  niceness: number;
}

export async function work({ messages = 1, end }: Wanted, port: MessagePort): Promise<boolean> {
  for (let number = 0; number < messages; number++) {
    port.postMessage({ thread: threadId, number, niceness: getPriority() } satisfies Said);
  }
  if (end === 'throws') throw new Error('the work threw');
  if (end === 'exits') process.exit();
  if (end === 'asked') await new Promise((resolve) => port.once('message', resolve));
  return end !== 'spent';
}
