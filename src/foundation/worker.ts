import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort } from 'node:worker_threads';
import { awaitedLater } from './promises.ts';
import { goBehindMainThread } from './thread-priority.ts';
import { type Assignment, END, type Foreseen, OVER, SPENT, type Work } from './work.ts';

/** What every thread runs: the work of one module after the other, until it is told to end. */

/** What a work has held is collected when there is nothing to do, or after some works: that takes 10 ms. */
const REST_MS = 500;
const WORKS_UNTIL_COLLECTION = 8;

let restTimer: NodeJS.Timeout | undefined;
let worksSinceCollection = 0;

goBehindMainThread();

parentPort!.on('message', (message: Assignment | Foreseen | typeof END) => {
  clearTimeout(restTimer);
  if (message === END) parentPort!.close();
  // That it cannot be loaded is said when there is work to do with it.
  else if ('foreseen' in message) awaitedLater(import(message.foreseen));
  else void perform(message);
});

async function perform({ module, input, port }: Assignment): Promise<void> {
  const { work } = (await import(module)) as { work: Work<unknown> };
  const isGood = await work(input, port);
  port.postMessage(isGood ? OVER : SPENT);
  port.close();
  if (!isGood) parentPort!.close();
  else if (++worksSinceCollection === WORKS_UNTIL_COLLECTION) collect();
  else restTimer = setTimeout(collect, REST_MS);
}

/** Shared memory that nobody else has any more stays for as long as a thread has not found that out. */
function collect(): void {
  worksSinceCollection = 0;
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  collectGarbage();
}
