import type { DatabaseSync } from 'node:sqlite';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import { formatDuration } from '../../foundation/units.ts';
import type { DatabaseCheck, Resolved } from '../../plan/index.ts';
import { type Check, checkedPath, type Discrepancy, runCommandCheck, type ValidateContext } from '../index.ts';
import type { DatabaseContents } from './inspect.ts';

/** What differs between what a snapshot has and what was found. Pure. */
export function differencesOf(expected: DatabaseContents, found: DatabaseContents): Discrepancy[] {
  return [...tableDifferences(expected, found), ...definitionDifferences(expected, found)];
}

function tableDifferences(expected: DatabaseContents, found: DatabaseContents): Discrepancy[] {
  const there = new Map(found.tables.map((each) => [each.name, each]));
  const known = new Set(expected.tables.map(({ name }) => name));
  const differences = expected.tables.flatMap(({ name, rows, digest }): Discrepancy[] => {
    const other = there.get(name);
    const item = `table ${name}`;
    if (other === undefined) return [{ item, kind: 'missing', detail: 'is not there' }];
    const counted = { snapshot: rows, found: other.rows };
    if (other.rows !== rows)
      return [{ item, kind: 'rows', detail: `has ${other.rows} rows, the snapshot ${rows}`, rows: counted }];
    if (other.digest !== digest)
      return [{ item, kind: 'content', detail: 'has as many rows, and other', rows: counted }];
    return [];
  });
  const extra = found.tables.filter(({ name }) => !known.has(name));
  return [
    ...differences,
    ...extra.map(
      ({ name }): Discrepancy => ({ item: `table ${name}`, kind: 'extra', detail: 'is not in the snapshot' }),
    ),
  ];
}

function definitionDifferences(expected: DatabaseContents, found: DatabaseContents): Discrepancy[] {
  const keyOf = ({ type, name }: { type: string; name: string }): string => `${type} ${name}`;
  const there = new Map(found.definitions.map((each) => [keyOf(each), each.sql]));
  const known = new Map(expected.definitions.map((each) => [keyOf(each), each.sql]));
  // Tables that one side alone has are told of by their rows.
  const others = (key: string): boolean => !key.startsWith('table ');
  const missing = [...known.keys()].filter((key) => !there.has(key) && others(key));
  const extra = [...there.keys()].filter((key) => !known.has(key) && others(key));
  const changed = [...known].filter(([key, sql]) => there.has(key) && there.get(key) !== sql);
  const settings = (['userVersion', 'applicationId', 'encoding'] as const).filter(
    (key) => expected[key] !== found[key],
  );
  return [
    ...missing.map((item): Discrepancy => ({ item, kind: 'missing', detail: 'is not there' })),
    ...extra.map((item): Discrepancy => ({ item, kind: 'extra', detail: 'is not in the snapshot' })),
    ...changed.map(([item]): Discrepancy => ({ item, kind: 'definition', detail: 'is defined otherwise' })),
    ...settings.map(
      (item): Discrepancy => ({
        item,
        kind: 'definition',
        detail: `is ${found[item]}, in the snapshot ${expected[item]}`,
      }),
    ),
  ];
}

/** Runs the plan's own checks on a restored database. */
export async function runPlanned(
  database: DatabaseSync,
  path: string,
  planned: readonly Resolved<DatabaseCheck>[],
  { signal, timeMs }: ValidateContext,
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const check of planned) {
    signal.throwIfAborted();
    checks.push(
      check.kind === 'exec'
        ? await runCommandCheck(check, checkedPath(path), signal)
        : { name: `validate: ${check.name}`, ...judge(database, check, timeMs) },
    );
  }
  return checks;
}

type Found = Omit<Check, 'name'>;

function judge(
  database: DatabaseSync,
  check: Extract<Resolved<DatabaseCheck>, { kind: 'sql' | 'sql-within' }>,
  timeMs: number,
): Found {
  let values: unknown[];
  try {
    values = database
      .prepare(check.sql)
      .all()
      .flatMap((row) => Object.values(row));
  } catch (error) {
    return { result: 'failed', detail: messageOf(error) };
  }
  if (values.length !== 1)
    return { result: 'failed', detail: `the query gave ${values.length} values, one was expected` };
  const [value] = values;
  if (check.kind === 'sql') return { result: value === 1 ? 'passed' : 'failed', detail: `gave ${String(value)}` };
  const momentMs = momentOf(value);
  if (momentMs === undefined) return { result: 'failed', detail: `gave ${String(value)}, which is no time` };
  const awayMs = Math.abs(timeMs - momentMs);
  const detail = `${String(value)} is ${formatDuration(awayMs)} from the recovery point, ${formatDuration(check.withinMs)} are allowed`;
  return { result: awayMs <= check.withinMs ? 'passed' : 'failed', detail };
}

/** SQLite has no type for times: seconds since 1970, or a text, which is UTC where it does not say otherwise. */
function momentOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value * 1000;
  if (typeof value !== 'string') return undefined;
  const [, day, time = '00:00:00', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(value) ?? [];
  const momentMs = Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(momentMs) ? undefined : momentMs;
}

export function noDirectory(): HoldfastError {
  return new HoldfastError('target-unsuitable', 'a SQLite database is a file, and is restored to a directory', {
    hint: 'Give the path of a directory.',
  });
}
