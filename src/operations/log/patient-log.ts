import { isHoldfastError } from '../../foundation/errors.ts';
import { throughOutages } from './outages.ts';
import type { StoredLog } from './stored-log.ts';

/** A stored log for as long as it is read: a repository that is away is waited for, and what a fold moves is found again. */
export class PatientLog {
  #log: StoredLog;
  readonly #reload: () => Promise<StoredLog>;
  readonly #patience: { signal: AbortSignal; note(message: string): void };

  /** @param reload reads again what there is: a fold moves parts of the log while they are read */
  constructor(
    log: StoredLog,
    reload: () => Promise<StoredLog>,
    patience: { signal: AbortSignal; note(message: string): void },
  ) {
    this.#log = log;
    this.#reload = reload;
    this.#patience = patience;
  }

  /** Reads something of it. @throws object-missing, repository-damaged; anything once the signal is aborted */
  read<T>(work: (log: StoredLog) => Promise<T>): Promise<T> {
    return throughOutages('the repository does not give the log', this.#patience, () => this.#readOrReload(work));
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  async #readOrReload<T>(work: (log: StoredLog) => Promise<T>): Promise<T> {
    try {
      return await work(this.#log);
    } catch (error) {
      if (!isHoldfastError(error, 'object-missing')) throw error;
      await this.#log.close();
      this.#log = await this.#reload();
      return work(this.#log);
    }
  }
}
