import { HoldfastError } from '../foundation/errors.ts';
import type { Invocation } from './command.ts';

/** The reason that a command records. @throws bad-usage where none is given */
export function whyOf(options: Invocation['options']): string {
  const why = options['why'];
  if (typeof why === 'string' && why.trim() !== '') return why;
  throw new HoldfastError('bad-usage', 'this takes a reason', {
    hint: 'Say with `--why` what others will need to know: it is recorded.',
  });
}
