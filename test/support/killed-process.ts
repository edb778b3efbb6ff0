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

/** In so many times as many runs as were asked for, one is killed before its end, however they vary. */
const PATIENCE = 10;

/** Runs that are killed at random instants of the time that they take, until as many were as asked for and one died of it. */
export class Instants {
  readonly #kills: number;
  readonly #run: (afterMs: number) => Promise<KilledRun>;
  #runs = 0;
  /** The shortest of those that came to their end: one may have been slowed down by what else the machine did. */
  #tookMs = Number.POSITIVE_INFINITY;
  killed = 0;

  constructor(kills: number, run: (afterMs: number) => Promise<KilledRun>) {
    this.#kills = kills;
    this.#run = run;
  }

  /** Lets one come to its end. @throws when it does not */
  async measure(): Promise<void> {
    const { ended, tookMs } = await this.#run(60_000);
    if (!ended) throw new Error('it did not come to its end');
    this.#tookMs = tookMs;
  }

  get areLeft(): boolean {
    return this.#runs < this.#kills || (this.killed === 0 && this.#runs < this.#kills * PATIENCE);
  }

  async runNext(): Promise<KilledRun> {
    this.#runs++;
    const result = await this.#run(Math.random() * this.#tookMs);
    if (result.ended) this.#tookMs = Math.min(this.#tookMs, result.tookMs);
    else this.killed++;
    return result;
  }
}
