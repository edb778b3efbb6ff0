/** What is legal in a runbook and still doubtful. Pure. */
import { durationNotation } from '../../foundation/units.ts';
import type { Finding } from '../problems.ts';
import type { Plan } from '../view.ts';
import { criticalPathMs, lastOfRecovery } from './graph.ts';
import type { Runbook } from './runbook-schema.ts';

export function runbookDoubts(plan: Plan): Finding[] {
  const drilled = new Set(plan.drills.flatMap(({ runbooks }) => runbooks));
  return [...plan.runbooks.values()].flatMap((runbook) => [
    ...budgetDoubts(runbook),
    ...promotionDoubts(plan, runbook),
    ...maintenanceDoubts(runbook),
    ...(drilled.has(runbook.name) ? [] : [about(runbook, 'no drill: nothing shows that it works')]),
  ]);
}

function about({ name }: Runbook, message: string, ...path: PropertyKey[]): Finding {
  return { path: ['runbooks', name, ...path], at: path.length === 0 ? 'key' : 'value', message };
}

function budgetDoubts(runbook: Runbook): Finding[] {
  const { steps, objectives } = runbook;
  const end = lastOfRecovery(steps);
  if (end === undefined || objectives.rtoMs === undefined) return [];
  const neededMs = criticalPathMs(steps, end.id);
  if (neededMs <= objectives.rtoMs) return [];
  const [needed, promised] = [durationNotation(neededMs), durationNotation(objectives.rtoMs)];
  return [about(runbook, `the steps to "${end.id}" may take ${needed} by their budgets, and ${promised} are promised`)];
}

function promotionDoubts(plan: Plan, runbook: Runbook): Finding[] {
  return runbook.steps.flatMap(({ document }, index) => {
    if (document.do !== 'postgres.promote') return [];
    const source = plan.standbys.get(document.standby)?.of;
    const isFenced = runbook.steps
      .slice(0, index)
      .some(({ document: other }) => other.do === 'postgres.fence' && other.source === source);
    if (isFenced) return [];
    const message = `no fence of "${source}" before it: an old primary that comes back takes writes too`;
    return [about(runbook, message, 'steps', index, 'do')];
  });
}

function maintenanceDoubts(runbook: Runbook): Finding[] {
  const kinds = runbook.steps.map(({ document }) => document.do);
  const [on, off] = [kinds.lastIndexOf('maintenance.on'), kinds.lastIndexOf('maintenance.off')];
  if (on > off) return [about(runbook, 'no maintenance.off behind it: writes stay stopped', 'steps', on, 'do')];
  if (off >= 0 && on < 0) return [about(runbook, 'no maintenance.on before it', 'steps', off, 'do')];
  return [];
}
