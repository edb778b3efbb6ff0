import { isHoldfastError } from '../../foundation/errors.ts';
import { type PlannedStandby, resolveSecret } from '../../plan/index.ts';
import type { Sample } from '../alerts/facts/samples.ts';
import type { Workspace } from '../workspace.ts';
import { StandbyLag } from './standby-lag.ts';

const TIMEOUT_MS = 30_000;

/** Looks again and again how far a standby is behind the server of its source. */
export class StandbyLookout {
  readonly #workspace: Workspace;
  readonly #standby: PlannedStandby;
  readonly #lag = new StandbyLag();

  constructor(workspace: Workspace, standby: PlannedStandby) {
    this.#workspace = workspace;
    this.#standby = standby;
  }

  /**
   * That one of the two servers does not answer, or is not what it was, is what was found, and no error.
   * @throws secret-unavailable, plan-invalid; the signal's reason
   */
  async look(signal: AbortSignal): Promise<Sample> {
    const { references, environment, plan } = this.#workspace;
    const timeMs = environment.clock.nowMs();
    const source = plan.sources.get(this.#standby.of);
    const measure = environment.adapters.measureReplication;
    if (source?.type !== 'postgres' || measure === undefined)
      return { timeMs, error: 'there is nothing to measure it with' };
    const standby = await resolveSecret(this.#standby.url, references);
    const moved = await this.#workspace.movedUrl(source).catch(unlessAway);
    if (moved === standby) return { timeMs, error: 'it was promoted, and follows no other server' };
    const primary = moved ?? (await resolveSecret(source.url, references));
    const expired = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const positions = await measure({ standby, primary }, AbortSignal.any([signal, expired]));
      return { timeMs, valueMs: Math.round(this.#lag.measure(positions).lagMs) };
    } catch (error) {
      signal.throwIfAborted();
      if (expired.aborted) return { timeMs, error: 'the servers did not answer in time' };
      if (isHoldfastError(error) && error.code.startsWith('source-')) return { timeMs, error: error.message };
      throw error;
    }
  }
}

/** A repository that is away keeps nobody from looking at the server that the plan names. */
function unlessAway(error: unknown): undefined {
  if (!isHoldfastError(error) || !error.code.startsWith('store-')) throw error;
  return undefined;
}

export async function createStandbyLookout(workspace: Workspace, standby: PlannedStandby): Promise<StandbyLookout> {
  return new StandbyLookout(workspace, standby);
}
