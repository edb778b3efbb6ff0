import type { Target } from '../../foundation/target.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { Check, ValidateContext, Validation } from '../index.ts';
import { compareDatabase, type DatabaseComparison, expectedOf } from './compare-database.ts';
import { schemaCheck } from './compare-schema.ts';
import type { TableComparison } from './compare-tables.ts';
import { parseLocation } from './location.ts';
import { type PlannedCheck, runPlanned } from './planned-checks.ts';

/** Holds a database against the snapshot's manifest, all at one moment, then runs the plan's own checks there. */
export async function validateDatabase(
  reader: SnapshotReader,
  target: Extract<Target, { kind: 'database' }>,
  planned: readonly PlannedCheck[],
  context: ValidateContext,
): Promise<Validation> {
  const location = parseLocation(target.url);
  const expected = await expectedOf(reader);
  const { schema, tables, largeObjects } = await compareDatabase(expected, location, 'target', context);
  const checks = [schemaCheck(schema), ...tables.map(rowsCheck), ...largeObjectsCheck(largeObjects)];
  const plans = await runPlanned(location, target, planned, context, context.timeMs + expected.clockOffsetMs);
  return { checks: [...checks, ...plans], notes: [] };
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
  const order = found.isReordered ? ', columns in another order, as a restore gives those that are inherited' : '';
  return { name, result: 'passed', detail: `${found.rows} rows, digest equal${order}` };
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
