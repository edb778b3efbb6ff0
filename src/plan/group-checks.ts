/** What no single key of a group can tell: that its names exist, and stand for what they are used as. Pure. */
import type { Finding } from './problems.ts';

interface Context {
  /** What stands at a path. */
  at(...path: PropertyKey[]): unknown;
  /** What stands at a path, unless something in it is wrong. */
  sound(...path: PropertyKey[]): unknown;
  sources: string[];
  /** Tells of a name that nothing defines, with the nearest that is. */
  unknown(what: string, path: PropertyKey[], given: string, known: string[]): Finding;
}

export function groupFindings(context: Context): Finding[] {
  const groups = context.at('groups');
  const names = typeof groups === 'object' && groups !== null ? Object.keys(groups) : [];
  return names.flatMap((name) => [...memberFindings(context, name), ...checkFindings(context, name)]);
}

function memberFindings({ sound, sources, unknown }: Context, group: string): Finding[] {
  const members = listAt(sound('groups', group, 'sources'));
  const inList = (key: 'sources' | 'order', known: string[], what: string): Finding[] =>
    listAt(sound('groups', group, key)).flatMap((given, index, all) => {
      const path = ['groups', group, key, index];
      if (!known.includes(given)) return [unknown(what, path, given, known)];
      if (all.indexOf(given) === index) return [];
      return [{ path, at: 'value', found: given, message: `"${given}" is already in the list` }];
    });
  return [...inList('sources', sources, 'source'), ...inList('order', members, 'source of this group')];
}

/** What can be asked, and what has paths. */
const ROLES = {
  sql: { types: ['postgres', 'sqlite'], expected: 'a database that understands SQL' },
  existsIn: { types: ['files'], expected: 'a source of type files' },
} as const;

function checkFindings({ sound, at, unknown }: Context, group: string): Finding[] {
  const members = listAt(sound('groups', group, 'sources'));
  const checks = sound('groups', group, 'validate');
  if (!Array.isArray(checks)) return [];
  return checks.flatMap((check: Record<string, { source?: unknown } | undefined>, index) =>
    (['sql', 'existsIn'] as const).flatMap((role): Finding[] => {
      const given = check[role]?.source;
      if (typeof given !== 'string') return [];
      const path = ['groups', group, 'validate', index, role, 'source'];
      if (!members.includes(given)) return [unknown('source of this group', path, given, members)];
      const type = at('sources', given, 'type');
      const { types, expected } = ROLES[role];
      if (typeof type !== 'string' || (types as readonly string[]).includes(type)) return [];
      return [{ path, at: 'value', found: given, message: `"${given}" is of type ${type}; expected ${expected}` }];
    }),
  );
}

function listAt(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
