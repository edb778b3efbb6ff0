/**
 * What the plan's format names and this version cannot do yet. It is refused by name, never taken for a slip of the pen
 * and never ignored. To support something, take it off this table and add it to the schema.
 *
 * Places are paths with `*` for any name.
 */
const UNSUPPORTED_KEYS: Readonly<Record<string, readonly string[]>> = {
  '': ['compliance'],
};

export const NOT_SUPPORTED = 'not supported by this version';

/** The keys at `place` that the format has and this version has not. */
export function unsupportedKeys(place: readonly PropertyKey[]): string[] {
  return Object.entries(UNSUPPORTED_KEYS)
    .filter(([pattern]) => matches(pattern, place))
    .flatMap(([, keys]) => keys);
}

function matches(pattern: string, path: readonly PropertyKey[]): boolean {
  const parts = pattern === '' ? [] : pattern.split('.');
  return parts.length === path.length && parts.every((part, index) => part === '*' || part === path[index]);
}
