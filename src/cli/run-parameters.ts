import { HoldfastError } from '../foundation/errors.ts';

/** What `--param NAME=VALUE` was given. @throws bad-usage */
export function runParameters(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((each) => {
      const at = each.indexOf('=');
      if (at > 0) return [each.slice(0, at), each.slice(at + 1)];
      throw new HoldfastError('bad-usage', 'a parameter has a name and a value', {
        hint: 'Write `--param NAME=VALUE`.',
      });
    }),
  );
}
