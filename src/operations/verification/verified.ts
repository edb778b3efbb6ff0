import type { HoldfastError } from '../../foundation/errors.ts';
import type { VerificationFinished, VerifiedSource } from '../../ledger/index.ts';

/** What was found in one repository, or restored from it. */
export interface VerifiedRepository {
  sources: VerifiedSource[];
  /** With `checked`: what was read in turn beside the sources' own, and is damaged. */
  damaged: string[];
  /** What kept sources from being looked at. */
  errors: HoldfastError[];
}

/** A source that could not be looked at. */
export function notRun(source: string, error: HoldfastError): { verified: VerifiedSource; error: HoldfastError } {
  const { code, message } = error;
  return { verified: { source, state: 'not-run', bytes: 0, code, message }, error };
}

/** What the states of sources come to. Pure. */
export function outcomeOf({
  sources,
  damaged,
}: Pick<VerifiedRepository, 'sources' | 'damaged'>): VerificationFinished['outcome'] {
  const isOne = (...states: VerifiedSource['state'][]): boolean => sources.some(({ state }) => states.includes(state));
  if (damaged.length > 0 || isOne('failed', 'not-provable')) return 'missed';
  if (!isOne('not-run')) return 'done';
  return isOne('checked', 'proven') ? 'partial' : 'failed';
}
