import { HoldfastError } from '../../foundation/errors.ts';
import { runVerification } from '../../operations/index.ts';
import type { Work } from './work.ts';

/** One entry of the plan's verifications: each of its sources by itself, so that one that fails keeps none from being verified. */
export const workVerify: Work = async (workspace, { subject }) => {
  const verification = workspace.plan.verifications.find(({ name }) => name === subject);
  if (verification === undefined) throw new HoldfastError('internal', `the plan has no verification ${subject}`);
  const { outcome, sources, damaged, errors } = await runVerification(workspace, verification);
  if (outcome === 'done') return { outcome };
  if (outcome === 'failed' && errors[0] !== undefined) return { outcome, error: errors[0] };
  const wrong = sources.filter(({ state }) => state !== 'checked' && state !== 'proven');
  const told = wrong.map(
    ({ source, state, message }) => `${source} is ${state}${message === undefined ? '' : `: ${message}`}`,
  );
  const message = [...told, ...damaged.map((each) => `damaged: ${each}`)].join('; ');
  return { outcome, message };
};
