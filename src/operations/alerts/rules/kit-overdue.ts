import type { AlertRule, Found } from '../condition.ts';
import type { Facts } from '../facts/facts.ts';
import { exampleFacts } from './example.ts';
import { moment } from './words.ts';

const DAY_MS = 24 * 3_600_000;
const WITHOUT = 'a recovery on an empty machine: nothing is known to bring everything back there';

/** The recovery kit does not fit what there is, or nobody has shown for long that it does. */
export const kitOverdue: AlertRule = {
  basis: 'record',
  find: (facts, { afterMs = 90 * DAY_MS }) => outdated(facts) ?? overdue(facts, afterMs),
  example(plan, { afterMs = 90 * DAY_MS }, nowMs) {
    const example = exampleFacts(plan, nowMs, {});
    const madeMs = nowMs - afterMs - DAY_MS;
    return { ...example, record: { ...example.record, kit: { madeMs, goodMs: madeMs } } };
  },
};

function outdated({ record }: Facts): Found[] | undefined {
  const { outdated: found, madeMs } = record.kit;
  if (found === undefined) return undefined;
  const which = madeMs === undefined ? 'the recovery kit' : `the recovery kit of ${moment(madeMs)}`;
  const message = `${which} is outdated: ${found.why}`;
  return [{ subject: 'kit', message, sinceMs: found.sinceMs, endangers: WITHOUT, command: 'holdfast kit' }];
}

function overdue({ nowMs, sinceMs: lookingMs, record }: Facts, afterMs: number): Found[] {
  const { madeMs, goodMs } = record.kit;
  const lastMs = goodMs ?? record.beganMs ?? lookingMs;
  if (lastMs > nowMs - afterMs) return [];
  const isThere = madeMs !== undefined;
  const message = isThere
    ? `the recovery kit was neither made nor checked since ${moment(lastMs)}`
    : 'there is no recovery kit';
  const command = isThere ? 'holdfast kit check' : 'holdfast kit';
  return [{ subject: 'kit', message, sinceMs: lastMs + afterMs, endangers: WITHOUT, command }];
}
