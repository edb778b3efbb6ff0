import type { WatchSummary } from '../../ledger/index.ts';
import type { Plan } from '../../plan/index.ts';
import type { Sample, Samples } from '../alerts/facts/samples.ts';
import type { WatchStore } from './watch-store.ts';
import {
  addErrorRate,
  addSample,
  addToHour,
  DAY_MS,
  HOUR_MS,
  newHour,
  type Seen,
  type SeenHour,
  summaryOf,
  thin,
  type WatchedKind,
} from './watched.ts';

/** What is seen of the living: the latest in memory, all of it in a store that it is brought to again and again. */
export class Watch {
  readonly #plan: Plan;
  readonly #store: WatchStore;
  readonly #seen = new Map<string, { kind: WatchedKind; name: string; seen: Seen }>();
  readonly #hours = new Map<string, SeenHour>();
  readonly #unwritten = new Set<string>();

  /** Goes on where another one ended. @throws watch-failed */
  constructor(plan: Plan, store: WatchStore) {
    this.#plan = plan;
    this.#store = store;
    const names = [...plan.services.keys()].map((name) => ['service', name] as const);
    for (const [kind, name] of [...names, ...[...plan.standbys.keys()].map((each) => ['standby', each] as const)]) {
      this.#of(kind, name);
    }
  }

  /**
   * Takes what was seen.
   * @param sample its value in the unit of its kind: see `WatchSummary`
   * @param isFailure whether its hour counts it as one; a sample with an error, when left out
   * @throws watch-failed
   */
  add(kind: WatchedKind, name: string, sample: Sample, isFailure = sample.error !== undefined): void {
    const { seen } = this.#of(kind, name);
    if (kind === 'service') addSample(seen, sample, this.#plan.services.get(name)?.everyMs ?? 0);
    if (kind === 'standby') addSample(seen, sample);
    addToHour(this.#hourOf(kind, name, sample.timeMs), sample.valueMs, isFailure);
    this.#unwritten.add(keyOf(kind, name));
  }

  /** Takes the share of a service's requests that failed. @throws watch-failed */
  addErrorRate(service: string, rate: { timeMs: number; share: number }): void {
    addErrorRate(this.#of('service', service).seen, rate);
    this.#unwritten.add(keyOf('service', service));
  }

  /** Whether something came that the store does not have. */
  get isUnwritten(): boolean {
    return this.#unwritten.size > 0;
  }

  /** What rules go by. */
  samples(): Samples {
    const services = [...this.#plan.services.values()].map(({ name, from }) => {
      const { samples, errorRates } = this.#of('service', name).seen;
      return { service: name, ...(from !== undefined && { from }), samples, errorRates };
    });
    const standbys = [...this.#plan.standbys.values()].map(({ name, of }) => {
      return { standby: name, of, samples: this.#of('standby', name).seen.samples };
    });
    return { services, standbys };
  }

  /** Brings to the store what came since the last time. @throws watch-failed; it is tried again with the next call */
  write(nowMs: number): void {
    const changed = [...this.#unwritten].map((key) => this.#seen.get(key)!);
    for (const { seen } of changed) thin(seen, nowMs);
    const seen = changed.map((each) => [each.kind, each.name, each.seen] as const);
    this.#store.write(seen, this.#hours.values());
    this.#unwritten.clear();
    // What can still grow is kept: the others are whole.
    const newest = Math.floor(nowMs / HOUR_MS);
    for (const [key, { hour }] of this.#hours) if (hour !== newest) this.#hours.delete(key);
  }

  /**
   * Has the days that are over put into the ledger, each once.
   * @param append resolves to whether it is durable; what is not is tried again
   */
  async summarise(nowMs: number, append: (summary: WatchSummary) => Promise<boolean>): Promise<void> {
    for (const hours of this.#store.unsummarised(Math.floor(nowMs / DAY_MS))) {
      if (await append(summaryOf(hours))) this.#store.markSummarised(hours[0]!);
      else return;
    }
  }

  #of(kind: WatchedKind, name: string): { kind: WatchedKind; name: string; seen: Seen } {
    const key = keyOf(kind, name);
    const known = this.#seen.get(key) ?? { kind, name, seen: this.#store.seen(kind, name) };
    this.#seen.set(key, known);
    return known;
  }

  #hourOf(kind: WatchedKind, name: string, timeMs: number): SeenHour {
    const fresh = newHour(kind, name, timeMs);
    const key = `${keyOf(kind, name)} ${fresh.hour}`;
    const stored = (): SeenHour | undefined =>
      this.#store.hours(fresh.hour, { kind, name }).find(({ hour }) => hour === fresh.hour);
    const known = this.#hours.get(key) ?? stored() ?? fresh;
    this.#hours.set(key, known);
    return known;
  }
}

function keyOf(kind: WatchedKind, name: string): string {
  return `${kind} ${name}`;
}
