/** What the ledger has of a period, as findings are made of it. Pure. */
import type { EventBodies, EventKind, LedgerEvent } from '../../ledger/index.ts';
import type { Plan } from '../../plan/index.ts';

/** An event with where it lies. */
export interface PlacedEvent {
  repository: string;
  event: LedgerEvent;
}

/** Of one kind. */
export interface KnownEvent<Kind extends EventKind> {
  /** `REPOSITORY/WRITER/NUMBER`: what `ledger export` has as repository, writer and sequence. */
  id: string;
  /** Milliseconds since 1970. */
  timeMs: number;
  body: EventBodies[Kind];
}

export class ComplianceFacts {
  readonly plan: Plan;
  /** Milliseconds since 1970: from this moment on, before that one. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly #within = new Map<EventKind, PlacedEvent[]>();
  readonly #before = new Map<EventKind, PlacedEvent[]>();

  /** @param events of all repositories, oldest first; those from the end of the period on count for nothing */
  constructor(plan: Plan, { fromMs, untilMs }: { fromMs: number; untilMs: number }, events: readonly PlacedEvent[]) {
    this.plan = plan;
    this.fromMs = fromMs;
    this.untilMs = untilMs;
    const known = new Set<string>();
    for (const placed of events) {
      const timeMs = Date.parse(placed.event.time);
      const id = idOf(placed);
      if (!(timeMs < untilMs) || known.has(id)) continue;
      known.add(id);
      const kinds = timeMs < fromMs ? this.#before : this.#within;
      const { kind } = placed.event;
      const same = kinds.get(kind);
      if (same === undefined) kinds.set(kind, [placed]);
      else same.push(placed);
    }
  }

  /** Of the period, oldest first. */
  of<Kind extends EventKind>(kind: Kind): KnownEvent<Kind>[] {
    return known<Kind>(this.#within.get(kind));
  }

  /** From before it, oldest first: what they tell counts for no claim. */
  before<Kind extends EventKind>(kind: Kind): KnownEvent<Kind>[] {
    return known<Kind>(this.#before.get(kind));
  }

  /** All of the period. */
  get within(): PlacedEvent[] {
    return [...this.#within.values()].flat();
  }
}

function known<Kind extends EventKind>(placed: readonly PlacedEvent[] = []): KnownEvent<Kind>[] {
  return placed.map((each) => ({
    id: idOf(each),
    timeMs: Date.parse(each.event.time),
    body: each.event.body as EventBodies[Kind],
  }));
}

/** See `KnownEvent`. */
export function idOf({ repository, event: { writer, sequence } }: PlacedEvent): string {
  return `${repository}/${writer}/${sequence}`;
}
