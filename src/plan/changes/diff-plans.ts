import { isDeepStrictEqual } from 'node:util';

/** What differs between two plans at one key. */
export interface PlanChange {
  /** From the top, with dots: `sources.db.retention.daily`. Of a list with names, the name stands for the place. */
  path: string;
  kind: 'added' | 'removed' | 'changed';
  before?: unknown;
  after?: unknown;
}

/** What differs between two documents, by key, in the order of their keys. Pure. */
export function diffPlans(before: unknown, after: unknown, path = ''): PlanChange[] {
  if (isDeepStrictEqual(before, after)) return [];
  const [one, other] = [keysOf(before), keysOf(after)];
  if (one === undefined || other === undefined) {
    if (before === undefined) return [{ path, kind: 'added', after }];
    if (after === undefined) return [{ path, kind: 'removed', before }];
    return [{ path, kind: 'changed', before, after }];
  }
  return [...new Set([...one.keys(), ...other.keys()])].flatMap((key) =>
    diffPlans(one.get(key), other.get(key), path === '' ? key : `${path}.${key}`),
  );
}

/** What a value consists of, by key; undefined where it is one thing. A list is, unless its parts have names of their own. */
function keysOf(value: unknown): Map<string, unknown> | undefined {
  if (Array.isArray(value)) {
    const names = value.map((each) => (each as { name?: unknown } | null)?.name);
    const areNames = names.length > 0 && names.every((name) => typeof name === 'string');
    if (!areNames || new Set(names).size < names.length) return undefined;
    return new Map(value.map((each, at) => [names[at] as string, each]));
  }
  return typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : undefined;
}
