/** Turns what zod found into findings that a plan's author can act on. */
import type { z } from 'zod';
import { knownKeys } from './json-schema.ts';
import { IDENTIFIER_NOTATION, nearestName } from './names.ts';
import type { Finding } from './problems.ts';
import { SOURCE_TYPES } from './sources/index.ts';
import type { Complaint } from './values.ts';

type Issue = z.core.$ZodIssue;

/** Keys whose values may hold a secret even where they should not; what was found there is never shown. */
const SENSITIVE_KEYS: ReadonlySet<PropertyKey> = new Set([
  'password',
  'url',
  'store',
  'endpoint',
  'credentials',
  'command',
  'exec',
  'env',
  'file',
]);

/** The findings of `issues` in the plan `raw`. */
export function findingsOf(issues: readonly Issue[], raw: unknown): Finding[] {
  const places = issues.filter((issue) => issue.code === 'unrecognized_keys').map((issue) => issue.path.join('\n'));
  const withUnknownKey = new Set(places);
  // Where a key is unknown, what else is wrong with the keys of that place follows from it.
  const telling = issues.filter((issue) => issue.code !== 'custom' || !withUnknownKey.has(issue.path.join('\n')));
  return telling.flatMap((issue) => findingsOfIssue(issue, raw));
}

function findingsOfIssue(issue: Issue, raw: unknown): Finding[] {
  const value = valueAt(raw, issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path, raw);
    return issue.keys.map((key) => unknownKey(issue.path, key, known));
  }
  if (value === undefined) return [missing(issue)];
  if (issue.code === 'invalid_key') {
    const name = String(issue.path.at(-1));
    const message = `"${name}" cannot be a name; expected ${IDENTIFIER_NOTATION}`;
    return [{ path: issue.path, at: 'key', found: name, expected: IDENTIFIER_NOTATION, message }];
  }
  if (issue.code === 'invalid_union') {
    const inner = innerIssues(issue);
    if (inner !== undefined) return findingsOf(inner, raw);
  }
  return [unexpected(issue, value)];
}

/** The issues of the one branch of a union that was meant: the only one whose own type fits. */
function innerIssues(issue: Extract<Issue, { code: 'invalid_union' }>): Issue[] | undefined {
  const meant = issue.errors.filter(
    (branch) => !branch.some((inner) => inner.path.length === 0 && /^invalid_(type|value)$/.test(inner.code)),
  );
  if (meant.length !== 1) return undefined;
  return meant[0]?.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

function unknownKey(place: readonly PropertyKey[], key: string, known: readonly string[]): Finding {
  const path = [...place, key];
  const nearest = nearestName(key, known);
  if (nearest !== undefined) {
    return { path, at: 'key', found: key, nearest, message: `unknown key; did you mean "${nearest}"?` };
  }
  const expected = `one of ${known.join(', ')}`;
  return { path, at: 'key', found: key, expected, message: `unknown key; expected ${expected}` };
}

function missing(issue: Issue): Finding {
  const expected = expectedOf(issue);
  const key = String(issue.path.at(-1));
  return { path: issue.path, at: 'key', expected, message: `missing key "${key}"; expected ${expected}` };
}

function unexpected(issue: Issue, value: unknown): Finding {
  const params = (issue.code === 'custom' ? issue.params : undefined) as Complaint | undefined;
  const at = { path: issue.path, at: 'value' as const };
  const found = describeFound(issue.path, value);
  const last = issue.path.at(-1);
  if (last === 'password' && typeof value === 'string') {
    const expected = 'a reference such as { env: HOLDFAST_PASSWORD }';
    return { ...at, found, expected, message: `a password is never written in the plan; expected ${expected}` };
  }
  if (params?.message !== undefined) return { ...at, found, message: params.message };
  const expected = params?.expected ?? expectedOf(issue);
  const nearest =
    params?.nearest ?? (last === 'type' && typeof value === 'string' ? nearestName(value, SOURCE_TYPES) : undefined);
  const hint = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  return {
    ...at,
    found,
    expected,
    ...(nearest === undefined ? {} : { nearest }),
    message: `found ${found}, expected ${expected}${hint}`,
  };
}

/** The schemas say in their messages what they expect; only zod's own words need a translation. */
function expectedOf(issue: Issue): string {
  if (!issue.message.startsWith('Invalid')) return issue.message;
  return issue.code === 'invalid_type' && issue.expected === 'object' ? 'keys with values' : 'something else';
}

function describeFound(path: readonly PropertyKey[], value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'keys with values';
  if (path.some((part) => SENSITIVE_KEYS.has(part))) return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
  if (typeof value !== 'string') return `the ${typeof value} ${String(value)}`;
  const shown = value.length > 60 ? `${value.slice(0, 59)}…` : value;
  return JSON.stringify(shown);
}

/** What stands at `path`, without ever reaching into a prototype. */
export function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}
