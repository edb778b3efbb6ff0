import { nextDue, type Schedule } from '../../../schedule/index.ts';
import type { AlertRule, Found } from '../condition.ts';
import type { Facts } from '../facts/facts.ts';
import { exampleFacts } from './example.ts';
import { moment } from './words.ts';

const DAY_MS = 24 * 3_600_000;
/** What no runbook is called like; with its name behind it, the task of a drill of a rescue. */
const RESCUE = 'drill:rescue';

/** A drill did not end well within the day after it was due. */
export const drillOverdue: AlertRule = {
  basis: 'record',
  find: overdue,
  example(plan, _rule, nowMs) {
    const schedule: Schedule = { kind: 'every', text: 'every 30d', everyMs: 30 * DAY_MS };
    const drills = [{ name: '1', runbooks: [[...plan.runbooks.keys()][0] ?? 'example'], schedule, isRescue: false }];
    const example = exampleFacts({ ...plan, drills }, nowMs, {});
    return { ...example, record: { ...example.record, beganMs: nowMs - 800 * DAY_MS } };
  },
};

/** Of a runbook that several drills name, the one that was due first. */
function overdue({ nowMs, sinceMs, plan, record }: Facts): Found[] {
  const due = new Map<string, number>();
  for (const { name, runbooks, schedule, isRescue } of plan.drills) {
    for (const runbook of isRescue ? [RESCUE] : runbooks) {
      const held = isRescue ? `${RESCUE}-${name}` : runbook;
      const fromMs = record.drills.get(held) ?? record.beganMs ?? sinceMs;
      const dueMs = nextDue(schedule, fromMs, plan.timezone);
      if (dueMs === undefined || dueMs > nowMs - DAY_MS) continue;
      due.set(runbook, Math.min(dueMs, due.get(runbook) ?? dueMs));
    }
  }
  return [...due].map(([runbook, dueMs]) => {
    const isRescue = runbook === RESCUE;
    const what = isRescue ? 'a rescue from the recovery kit' : runbook;
    return {
      subject: isRescue ? 'rescue' : runbook,
      message: `the drill of ${what} that was due at ${moment(dueMs)} was not held, or failed`,
      sinceMs: dueMs,
      endangers: `the recovery by ${what}: nobody has shown lately that it works`,
      command: isRescue ? 'holdfast rescue --drill' : `holdfast drill ${runbook}`,
    };
  });
}
