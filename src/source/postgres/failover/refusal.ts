import { isHoldfastError } from '../../../foundation/errors.ts';
import { FENCE_LIBRARY } from './way-in.ts';

/** Whether a login failed because the server is fenced. */
export function refusesAll(error: unknown): boolean {
  return isHoldfastError(error) && String(error.context['reason']).includes(FENCE_LIBRARY);
}
