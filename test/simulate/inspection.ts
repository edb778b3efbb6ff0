/** Looks at the repositories while the year goes by, from outside: with a listing of a directory every day, and stock restic every month. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { restic } from '../support/restic.ts';
import type { WallClock } from './oracle.ts';
import type { Scenario } from './scenario.ts';
import { DAY_MS, HOUR_MS } from './world.ts';

/** By then the retention of the day is over, and nothing else is due. */
const LISTED_AT_MS = 12 * HOUR_MS;

/** The ids of the snapshots that are in a repository at a moment. */
export interface Listing {
  repository: string;
  atMs: number;
  snapshots: ReadonlySet<string>;
}

/** What stock restic says of a snapshot. */
export interface SampledSnapshot {
  id: string;
  source: string;
  timeMs: number;
}

export interface Sample {
  repository: string;
  atMs: number;
  snapshots: readonly SampledSnapshot[];
}

export class Inspection {
  readonly listings: Listing[] = [];
  readonly samples: Sample[] = [];
  readonly faults: string[] = [];
  restored = 0;
  readonly #scenario: Scenario;
  readonly #clock: WallClock;
  readonly #ids = new Map<string, string>();

  constructor(scenario: Scenario, clock: WallClock) {
    this.#scenario = scenario;
    this.#clock = clock;
  }

  /** Looks, where it is time to. */
  look(nowMs: number): void {
    if (nowMs % DAY_MS !== LISTED_AT_MS) return;
    for (const [repository, { directory }] of Object.entries(this.#scenario.repositories)) {
      const place = join(directory, 'snapshots');
      if (!existsSync(place)) continue;
      const snapshots = new Set(readdirSync(place).map((id) => this.#known(id)));
      this.listings.push({ repository, atMs: nowMs, snapshots });
    }
    if (new Date(this.#clock.shownMs(nowMs)).getUTCDate() === 1) this.sample(nowMs);
  }

  /** The same text each time: a year of listings is large. */
  #known(id: string): string {
    const known = this.#ids.get(id) ?? id;
    this.#ids.set(known, known);
    return known;
  }

  /** Has restic list each repository, and restore of each source the oldest snapshot, the newest, and one between. */
  sample(nowMs: number): void {
    for (const [repository, { directory, password }] of Object.entries(this.#scenario.repositories)) {
      if (!existsSync(join(directory, 'config'))) continue;
      const snapshots = listed(directory, password);
      this.samples.push({ repository, atMs: nowMs, snapshots });
      const bySource = Map.groupBy(snapshots, ({ source }) => source);
      for (const own of bySource.values()) {
        const between = Math.floor(nowMs / DAY_MS) % own.length;
        for (const each of new Set([own[0]!, own[between]!, own.at(-1)!])) this.#restore(directory, password, each);
      }
    }
  }

  #wrongIn(source: string, restored: string, timeMs: number): string | undefined {
    try {
      return this.#scenario.wrongIn(source, restored, timeMs);
    } catch (error) {
      return `it cannot be read: ${error instanceof Error ? error.message : error}`;
    }
  }

  #restore(directory: string, password: string, { id, source, timeMs }: SampledSnapshot): void {
    const target = mkdtempSync(join(directory, '..', 'restored-'));
    try {
      const words = ['restore', id, '--no-lock', '--target', target];
      const { status, errorOutput } = restic(directory, words, { password, mayFail: true });
      const wrong = status === 0 ? this.#wrongIn(source, target, timeMs) : errorOutput;
      if (wrong !== undefined)
        this.faults.push(`${source} of ${new Date(timeMs).toISOString()} does not come back: ${wrong}`);
      this.restored++;
    } finally {
      rmSync(target, { recursive: true, force: true });
    }
  }
}

/** Oldest first. */
function listed(directory: string, password: string): SampledSnapshot[] {
  const { output } = restic(directory, ['snapshots', '--no-lock', '--json'], { password });
  const snapshots = (JSON.parse(output) ?? []) as { id: string; time: string; tags?: string[] }[];
  return snapshots
    .map(({ id, time, tags = [] }) => {
      const source = tags.find((tag) => tag.startsWith('source:'))?.slice('source:'.length) ?? '';
      return { id, source, timeMs: Date.parse(time) };
    })
    .sort((one, other) => one.timeMs - other.timeMs);
}
