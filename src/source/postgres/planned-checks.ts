import { isHoldfastError } from '../../foundation/errors.ts';
import type { Target } from '../../foundation/target.ts';
import { formatDuration } from '../../foundation/units.ts';
import type { DatabaseCheck, Resolved } from '../../plan/index.ts';
import { type Check, type CheckedPlace, runCommandCheck, type ValidateContext } from '../index.ts';
import { type Location, programEnvironment } from './location.ts';
import { Session } from './session.ts';

export type PlannedCheck = Resolved<DatabaseCheck>;

const QUERY_TIMEOUT_MS = 10 * 60_000;

/**
 * Runs the plan's own checks against a restored database.
 * @param timeMs the recovery point, by the captured server's clock
 */
export async function runPlanned(
  location: Location,
  target: Extract<Target, { kind: 'database' }>,
  planned: readonly PlannedCheck[],
  context: Pick<ValidateContext, 'signal'>,
  timeMs: number,
): Promise<Check[]> {
  const checks: Check[] = [];
  for (const check of planned) {
    checks.push(
      check.kind === 'exec'
        ? await runCommandCheck(check, placeOf(location, target), context.signal)
        : { name: `validate: ${check.name}`, ...(await runQuery(check, location, context, timeMs)) },
    );
  }
  return checks;
}

function placeOf(location: Location, { url }: Extract<Target, { kind: 'database' }>): CheckedPlace {
  return {
    words: { 'sandbox.url': url, 'target.url': url },
    environment: { ...programEnvironment(location), DATABASE_URL: url },
    quotes: true,
  };
}

type Found = Omit<Check, 'name'>;

async function runQuery(
  check: Extract<PlannedCheck, { kind: 'sql' | 'sql-within' }>,
  location: Location,
  { signal }: Pick<ValidateContext, 'signal'>,
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
