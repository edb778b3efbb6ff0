import type { LedgerEvent } from '../../ledger/index.ts';

/** What ledgers say of all the time that they tell of, for who watches how it grows. */
export interface LedgerFigures {
  events: number;
  /** Runs that ended, by the kind of their task and by outcome: `backup done`. */
  runs: Map<string, { kind: string; outcome: string; count: number }>;
  /** What backups stored, by source. */
  storedBytes: Map<string, number>;
  /** Alerts that are not resolved, by severity. */
  openAlerts: Map<string, number>;
}

/** Pure. @param ledgers the events of each, oldest first */
export function ledgerFigures(ledgers: Iterable<readonly LedgerEvent[]>): LedgerFigures {
  const figures: LedgerFigures = { events: 0, runs: new Map(), storedBytes: new Map(), openAlerts: new Map() };
  const raised = new Map<string, string>();
  // It may be recorded in the ledger of one repository that an alert is over which another one has.
  const resolved = new Set<string>();
  for (const events of ledgers) {
    figures.events += events.length;
    for (const event of events) {
      if (event.kind === 'run.finished') countRun(figures, event.body.task, event.body.outcome);
      else if (event.kind === 'run.died') countRun(figures, event.body.task, 'died');
      else if (event.kind === 'alert.raised') raised.set(event.body.alert, event.body.severity);
      else if (event.kind === 'alert.updated' && raised.has(event.body.alert)) {
        raised.set(event.body.alert, event.body.severity);
      } else if (event.kind === 'alert.resolved') resolved.add(event.body.alert);
      else if (event.kind === 'backup.finished') {
        const { source, bytesStored = 0 } = event.body;
        figures.storedBytes.set(source, (figures.storedBytes.get(source) ?? 0) + bytesStored);
      }
    }
  }
  for (const [alert, severity] of raised) {
    if (resolved.has(alert)) continue;
    figures.openAlerts.set(severity, (figures.openAlerts.get(severity) ?? 0) + 1);
  }
  return figures;
}

function countRun({ runs }: LedgerFigures, task: string, outcome: string): void {
  const [kind = ''] = task.split(':');
  const id = `${kind} ${outcome}`;
  const known = runs.get(id);
  if (known === undefined) runs.set(id, { kind, outcome, count: 1 });
  else known.count++;
}
