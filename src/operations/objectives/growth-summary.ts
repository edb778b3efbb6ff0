import type { LedgerEvent, Summary } from '../../ledger/index.ts';
import { GROWTH_MS, MOST_PROOFS } from './rto-forecast.ts';

const DAY_MS = 24 * 3_600_000;
/** Of the newest all are kept: what is proven for the first time is among them. */
const NEWEST = 1000;
const TRIM_FIRST_AT = 2 * NEWEST;

/** What the forecast of one source needs of its ledger: its backups and proofs, oldest first, and few of those long ago. */
export interface Growth {
  events: LedgerEvent[];
  /** Some go again when there are so many. */
  trimAt: number;
}

/** By source. So much is kept, however old a ledger is, that forecasts are those of all of it. */
export const growthSummary: Summary<Map<string, Growth>> = {
  name: 'growth-1',
  initial: () => new Map(),
  add(state, event) {
    if (event.kind !== 'backup.finished' && event.kind !== 'proof.recorded') return;
    const known = state.get(event.body.source) ?? { events: [], trimAt: TRIM_FIRST_AT };
    state.set(event.body.source, known);
    known.events.push(event);
    if (known.events.length < known.trimAt) return;
    known.events = keptOf(known.events);
    known.trimAt = Math.max(TRIM_FIRST_AT, 2 * known.events.length);
  },
  copy: (state) => new Map([...state].map(([source, { events, trimAt }]) => [source, { events: [...events], trimAt }])),
};

/** The newest, the last complete backup of each day that tells growth, the newest proofs, and the backups that these are of. */
function keptOf(events: readonly LedgerEvent[]): LedgerEvent[] {
  const kept = new Set(events.slice(-NEWEST));
  const known = new Set(events.flatMap(({ kind, body }) => (kind === 'backup.finished' ? [body.tree] : [])));
  const proofs = events.filter(
    ({ kind, body }) => kind === 'proof.recorded' && body.state === 'proven' && !body.part && known.has(body.tree),
  );
  for (const proof of proofs.slice(-MOST_PROOFS)) kept.add(proof);
  const trees = new Set([...kept].flatMap(({ kind, body }) => (kind === 'proof.recorded' ? [body.tree] : [])));
  const newestMs = events.reduce((latest, { time }) => Math.max(latest, Date.parse(time)), Number.NEGATIVE_INFINITY);
  const days = new Map<number, LedgerEvent>();
  for (const event of events) {
    if (event.kind !== 'backup.finished') continue;
    if (trees.has(event.body.tree)) kept.add(event);
    const timeMs = Date.parse(event.body.time);
    const isTelling = event.body.outcome === 'complete' && event.body.only === undefined;
    // A day more, for clocks that are ahead.
    if (!isTelling || timeMs < newestMs - GROWTH_MS - DAY_MS) continue;
    const day = Math.floor(timeMs / DAY_MS);
    const last = days.get(day);
    if (last?.kind !== 'backup.finished' || Date.parse(last.body.time) <= timeMs) days.set(day, event);
  }
  for (const event of days.values()) kept.add(event);
  return events.filter((event) => kept.has(event));
}
