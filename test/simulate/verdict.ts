import type { LedgerEvent } from '../../src/ledger/index.ts';

/** What the judges counted, and what was not as it was promised. */
export class Verdict {
  readonly counts = new Map<string, number>();
  readonly faults: string[] = [];
  /** So many were simulated. */
  readonly days: number;

  constructor(days: number) {
    this.days = days;
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  fault(what: string): void {
    this.faults.push(what);
  }
}

type Of<Kind extends LedgerEvent['kind']> = Extract<LedgerEvent, { kind: Kind }>;

/** The events of one kind. */
export function eventsOf<Kind extends LedgerEvent['kind']>(events: readonly LedgerEvent[], kind: Kind): Of<Kind>[] {
  return events.filter((event): event is Of<Kind> => event.kind === kind);
}

export function iso(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 16);
}
