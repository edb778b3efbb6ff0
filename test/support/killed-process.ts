import { spawn } from 'node:child_process';
import { PASSWORD } from './repository.ts';

export interface KilledRun {
  /** It came to its end before it was killed. */
  ended: boolean;
  /** From when it was ready. */
  tookMs: number;
}

/**
 * Runs a script, which says `opened` when it is ready, and kills it some time after that.
 * @param lastWord what it says when its work is done
 */
export function runKilled(
  script: URL,
  arguments_: readonly string[],
  { lastWord, afterMs }: { lastWord: string; afterMs: number },
): Promise<KilledRun> {
  const child = spawn(process.execPath, [script.pathname, ...arguments_], {
    env: { ...process.env, HOLDFAST_TEST_PASSWORD: PASSWORD },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  let openedMs = 0;
  child.stdout.on('data', (text: Buffer) => {
    said += text.toString();
    if (openedMs !== 0 || !said.includes('opened')) return;
    openedMs = performance.now();
    setTimeout(() => child.kill('SIGKILL'), afterMs);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve({ ended: said.includes(lastWord), tookMs: performance.now() - openedMs }));
  });
}
