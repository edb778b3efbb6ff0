import type { Summary } from '../../ledger/index.ts';

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

/** What one ledger says of it. */
export interface LedgerCounts {
  events: number;
  runs: Map<string, { kind: string; outcome: string; count: number }>;
  storedBytes: Map<string, number>;
  /** Severities by the ids of alerts that are not resolved. */
  open: Map<string, string>;
  /** Alerts that are resolved, and were raised in another ledger. */
  resolved: Set<string>;
  /** Severities that alerts of another ledger have now. */
  updated: Map<string, string>;
}

export const countsSummary: Summary<LedgerCounts> = {
  name: 'counts-1',
  initial: () => ({
    ...{ events: 0, runs: new Map(), storedBytes: new Map() },
    ...{ open: new Map(), resolved: new Set(), updated: new Map() },
  }),
  add(counts, event) {
    counts.events++;
    if (event.kind === 'run.finished') countRun(counts, event.body.task, event.body.outcome);
    else if (event.kind === 'run.died') countRun(counts, event.body.task, 'died');
    else if (event.kind === 'alert.raised') counts.open.set(event.body.alert, event.body.severity);
    else if (event.kind === 'alert.updated') {
      const { alert, severity } = event.body;
      (counts.open.has(alert) ? counts.open : counts.updated).set(alert, severity);
    } else if (event.kind === 'alert.resolved') {
      if (!counts.open.delete(event.body.alert)) counts.resolved.add(event.body.alert);
    } else if (event.kind === 'backup.finished') {
      const { source, bytesStored = 0 } = event.body;
      addTo(counts.storedBytes, source, bytesStored);
    }
  },
  copy: (counts) => structuredClone(counts),
};

/** Pure. @param ledgers what each of them says */
export function ledgerFigures(ledgers: readonly LedgerCounts[]): LedgerFigures {
  // It may be recorded in the ledger of one repository what became of an alert which another one has.
  const resolved = new Set(ledgers.flatMap((each) => [...each.resolved]));
  const updated = new Map(ledgers.flatMap((each) => [...each.updated]));
  const figures: LedgerFigures = { events: 0, runs: new Map(), storedBytes: new Map(), openAlerts: new Map() };
  for (const { events, runs, storedBytes, open } of ledgers) {
    figures.events += events;
    for (const { kind, outcome, count } of runs.values()) addRuns(figures, { kind, outcome, count });
    for (const [source, bytes] of storedBytes) addTo(figures.storedBytes, source, bytes);
    for (const [alert, severity] of open)
      if (!resolved.has(alert)) addTo(figures.openAlerts, updated.get(alert) ?? severity, 1);
  }
  return figures;
}

function addTo(sums: Map<string, number>, name: string, more: number): void {
  sums.set(name, (sums.get(name) ?? 0) + more);
}

function countRun(counts: LedgerCounts, task: string, outcome: string): void {
  const [kind = ''] = task.split(':');
  addRuns(counts, { kind, outcome, count: 1 });
}

function addRuns({ runs }: Pick<LedgerCounts, 'runs'>, more: { kind: string; outcome: string; count: number }): void {
  const id = `${more.kind} ${more.outcome}`;
  const known = runs.get(id);
  if (known === undefined) runs.set(id, { ...more });
  else known.count += more.count;
}
