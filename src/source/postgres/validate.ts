import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { runProgram } from '../../foundation/process.ts';
import type { Target } from '../../foundation/target.ts';
import { formatDuration } from '../../foundation/units.ts';
import type { Resolved, ValidateCheck } from '../../plan/index.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { Check, ValidateContext } from '../index.ts';
import { compareDatabase, type DatabaseComparison } from './compare-database.ts';
import { schemaCheck } from './compare-schema.ts';
import type { TableComparison } from './compare-tables.ts';
import { type Location, parseLocation, programEnvironment } from './location.ts';
import { Session } from './session.ts';

type PlannedCheck = Resolved<ValidateCheck>;

const QUERY_TIMEOUT_MS = 10 * 60_000;

/** Holds a database against the snapshot's manifest, all at one moment, then runs the plan's own checks there. */
export async function validateDatabase(
  reader: SnapshotReader,
  target: Extract<Target, { kind: 'database' }>,
  planned: readonly PlannedCheck[],
  context: ValidateContext,
): Promise<Check[]> {
  const location = parseLocation(target.url);
  const { schema, tables, largeObjects, clockOffsetMs } = await compareDatabase(reader, location, 'target', context);
  const checks = [schemaCheck(schema), ...tables.map(rowsCheck), ...largeObjectsCheck(largeObjects)];
  const plans = await runPlanned(location, target, planned, context, context.timeMs + clockOffsetMs);
  return [...checks, ...plans];
}

function rowsCheck(table: TableComparison): Check {
  const { expected, found } = table;
  const name = `rows ${table.name}`;
  const failed = (detail: string): Check => ({ name, result: 'failed', detail });
  if (expected === undefined) return failed('the table was not in the snapshot');
  if (found === undefined) return failed('the table is missing');
  if (!found.sameColumns) return failed('the table has other columns');
  if (found.rows !== expected.rows) return failed(`${found.rows} rows, the snapshot has ${expected.rows}`);
  if (found.digest !== expected.digest)
    return failed(`${found.rows} rows, digest ${found.digest}, not ${expected.digest}`);
  return { name, result: 'passed', detail: `${found.rows} rows, digest equal` };
}

function largeObjectsCheck({ expected, found }: DatabaseComparison['largeObjects']): Check[] {
  if (expected.count === 0 && found.count === 0) return [];
  const equal = expected.count === found.count && expected.digest === found.digest;
  return [
    {
      name: 'large objects',
      result: equal ? 'passed' : 'failed',
      detail: `${found.count} of ${expected.count}, contents ${equal ? 'equal' : 'differ'}`,
    },
  ];
}

/** @param timeMs the recovery point, by the captured server's clock */
async function runPlanned(
  location: Location,
  target: Extract<Target, { kind: 'database' }>,
  planned: readonly PlannedCheck[],
  context: ValidateContext,
  timeMs: number,
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const check of planned) {
    const found =
      check.kind === 'exec'
        ? runExec(check.exec, location, target, context)
        : runQuery(check, location, context, timeMs);
    checks.push({ name: `validate: ${check.name}`, ...(await found) });
  }
  return checks;
}

type Found = Omit<Check, 'name'>;

async function runQuery(
  check: Extract<PlannedCheck, { kind: 'sql' | 'sql-within' }>,
  location: Location,
  { signal }: ValidateContext,
  timeMs: number,
): Promise<Found> {
  // A session for each: what a query leaves behind is nobody else's matter.
  const session = await Session.open(location, { side: 'target', signal, settings: 'plain' });
  try {
    await session.query('begin a transaction', 'BEGIN READ ONLY');
    await session.query('limit the time', `SET LOCAL statement_timeout = ${QUERY_TIMEOUT_MS}`);
    await session.query('fix how times are written', `SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'`);
    const values = (await session.values('run the query', check.sql)).flat();
    if (values.length !== 1)
      return { result: 'failed', detail: `the query gave ${values.length} values, one was expected` };
    return check.kind === 'sql' ? judgeTruth(values[0]!) : judgeTime(values[0]!, timeMs, check.withinMs);
  } catch (error) {
    signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return { result: 'failed', detail: error.message };
  } finally {
    await session.close();
  }
}

function judgeTruth(value: string | null): Found {
  const isTrue = value === 't' || value === 'true';
  return { result: isTrue ? 'passed' : 'failed', detail: `gave ${value ?? 'null'}` };
}

/** A date, or a time in UTC, as the session's settings make the server write it. */
const TIME = /^(\d{4}-\d{2}-\d{2})(?: (\d{2}:\d{2}:\d{2}(?:\.\d+)?)(?:\+00)?)?$/;

function judgeTime(value: string | null, timeMs: number, withinMs: number): Found {
  const [, day, time = '00:00:00'] = TIME.exec(value ?? '') ?? [];
  if (day === undefined) return { result: 'failed', detail: `gave ${value ?? 'null'}, which is no time` };
  const awayMs = Math.abs(timeMs - Date.parse(`${day}T${time}Z`));
  return {
    result: awayMs <= withinMs ? 'passed' : 'failed',
    detail: `${value} is ${formatDuration(awayMs)} from the recovery point, ${formatDuration(withinMs)} are allowed`,
  };
}

async function runExec(
  exec: readonly string[],
  location: Location,
  target: Extract<Target, { kind: 'database' }>,
  { signal }: ValidateContext,
): Promise<Found> {
  const [program = '', ...words] = exec.map((word) =>
    word.replaceAll('${sandbox.url}', target.url).replaceAll('${target.url}', target.url),
  );
  const environment = { ...programEnvironment(location), DATABASE_URL: target.url };
  try {
    await runProgram(program, words, { environment, signal, timeoutMs: QUERY_TIMEOUT_MS });
    return { result: 'passed', detail: 'exited 0' };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    const said = error.context['said'];
    return {
      result: 'failed',
      detail: typeof said === 'string' && said !== '' ? `${error.message}: ${said}` : error.message,
    };
  }
}
