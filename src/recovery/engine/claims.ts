import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { seal } from '../../format/index.ts';
import { isHoldfastError } from '../../foundation/errors.ts';
import { CLAIMS_PREFIX, type Repository } from '../../repository/index.ts';

/** Attempts at steps, of which each is one engine's alone: an object for each that is put only where there is none. */
export class Claims {
  readonly #engine = randomBytes(16).toString('hex');

  /**
   * Claims an attempt at a step.
   * @returns whether it is this engine's: else another one claimed it before
   * @throws the store's errors
   */
  async take({ store, key }: Repository, claim: { run: string; step: string; attempt: number }): Promise<boolean> {
    const { conditionalPut } = await store.capabilities();
    const { run, step, attempt } = claim;
    const body = { version: 1, engine: this.#engine, hostname: hostname(), pid: process.pid, ...claim };
    const name = `${CLAIMS_PREFIX}${run}/${step}/${String(attempt).padStart(4, '0')}`;
    try {
      await store.put(name, seal(key, Buffer.from(JSON.stringify(body))), { ifAbsent: conditionalPut });
      return true;
    } catch (error) {
      if (isHoldfastError(error, 'object-exists')) return false;
      throw error;
    }
  }
}
