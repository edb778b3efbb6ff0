import { stat } from 'node:fs/promises';
import { HoldfastError, systemCode } from '../foundation/errors.ts';
import { type LoadedPlan, loadPlan } from '../plan/index.ts';
import type { DaemonRecord } from './daemon-record.ts';
import type { Log } from './log.ts';

type State = 'changed' | 'broken' | 'removed' | 'same';

const TELLS: Record<State, string> = {
  changed: 'the plan was changed: SIGHUP has it taken over',
  broken: 'what is in the file of the plan now is none; the one that was loaded still holds',
  removed: 'the file of the plan is gone; the one that was loaded still holds',
  same: 'the file of the plan is again what was loaded',
};

/**
 * The file that the plan came from. A daemon goes by what it has loaded until it is told to load again, since half of a
 * change may be in the file; that there is another one is looked at before each run, and recorded once.
 */
export class PlanFile {
  readonly #loaded: Pick<LoadedPlan, 'path' | 'text'>;
  readonly #record: DaemonRecord;
  readonly #log: Log;
  #state: State = 'same';
  #seen: string | undefined;

  constructor(loaded: Pick<LoadedPlan, 'path' | 'text'>, record: DaemonRecord, log: Log) {
    this.#loaded = loaded;
    this.#record = record;
    this.#log = log;
  }

  /** Records what has become of the file, where that is news. */
  async look(): Promise<void> {
    const stamp = await stampOf(this.#loaded.path);
    if (stamp === this.#seen) return;
    this.#seen = stamp;
    const state = await this.#judge(stamp);
    if (state === this.#state) return;
    this.#state = state;
    this.#log[state === 'same' ? 'info' : 'warn'](TELLS[state], { plan: this.#loaded.path });
    await this.#record.append('plan.differs', { state });
  }

  async #judge(stamp: string): Promise<State> {
    if (stamp === REMOVED) return 'removed';
    const { path, text } = this.#loaded;
    try {
      const now = await loadPlan({ path, cwd: '/', env: {} });
      return now.text === text ? 'same' : 'changed';
    } catch (error) {
      if (systemCode(error) === undefined && !(error instanceof HoldfastError)) throw error;
      return 'broken';
    }
  }
}

const REMOVED = 'removed';

/** Another one for each version of a file that is told apart without reading it. */
async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeNs, ino, size } = await stat(path, { bigint: true });
    return `${mtimeNs} ${ino} ${size}`;
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return code === 'ENOENT' ? REMOVED : code;
  }
}
