import type { LedgerEvent, ProofRecorded } from '../ledger/index.ts';
import type { StoredSnapshot } from '../repository/index.ts';
import { END_OF_LOG } from './restore/recovery-target.ts';

export type ProofEvent = Extract<LedgerEvent, { kind: 'proof.recorded' }>;

/**
 * What was proven is either a backup by itself, or one moment that the log behind it leads to. Neither says anything of the
 * other, nor one moment of another one: a log may be broken behind a good backup, and whole up to some moment only.
 */

/**
 * The newest proof of each backup of a source by itself, by tree, in the order in which they were made.
 * @param events oldest first
 */
export function proofsOf(source: string, events: readonly LedgerEvent[]): Map<ProofRecorded['tree'], ProofEvent> {
  const own = eventsOf(source, events).filter(({ body }) => body.log === undefined);
  return newestOfEach(own, ({ body }) => body.tree);
}

/** What is known of a backup by itself, beyond that it is stored. */
export type KnownState = ProofRecorded['state'] | 'checked';

/**
 * What is known of each backup of a source by itself, by tree: what its newest proof said, else what its newest check did.
 * A check that found damage after it was proven says more than the proof, until it is whole again.
 * @param events oldest first
 */
export function statesOf(source: string, events: readonly LedgerEvent[]): Map<ProofRecorded['tree'], KnownState> {
  const proven = new Map<string, KnownState>();
  const checked = new Map<string, { state: 'checked' | 'failed'; isNewer: boolean }>();
  for (const { kind, body } of events) {
    if (kind === 'snapshot.checked' && body.source === source) {
      checked.set(body.tree, { state: body.state, isNewer: true });
    } else if (kind === 'proof.recorded' && isOfWhole(body, source) && body.log === undefined) {
      proven.set(body.tree, body.state);
      const check = checked.get(body.tree);
      if (check !== undefined) check.isNewer = false;
    }
  }
  const states = new Map(proven);
  for (const [tree, { state, isNewer }] of checked) {
    if (!proven.has(tree) || (state === 'failed' && isNewer)) states.set(tree, state);
  }
  return states;
}

/** The newest proof of each moment that was reached from a backup which is still there, in the order in which they were made. */
export function momentProofsOf(
  source: string,
  events: readonly LedgerEvent[],
  snapshots: readonly StoredSnapshot[],
): ProofEvent[] {
  const trees = new Set(snapshots.map(({ tree }) => tree));
  const own = eventsOf(source, events).filter(({ body }) => body.log !== undefined && trees.has(body.tree));
  return [...newestOfEach(own, ({ body }) => `${body.tree} ${momentOf(body.log!)}`).values()];
}

/** The one that leads to the newest moment. @param proofs of moments */
export function newestProvenMoment(proofs: readonly ProofEvent[]): { proof: ProofEvent; timeMs: number } | undefined {
  return proofs
    .flatMap((proof) => {
      const { state, log } = proof.body;
      return state !== 'proven' || log?.time === undefined ? [] : [{ proof, timeMs: Date.parse(log.time) }];
    })
    .sort((a, b) => a.timeMs - b.timeMs)
    .at(-1);
}

/** Where the log ended then is known by its time alone; every other target is the same whenever it is asked for. */
function momentOf({ target, time }: NonNullable<ProofRecorded['log']>): string {
  return target === END_OF_LOG ? (time ?? target) : target;
}

function eventsOf(source: string, events: readonly LedgerEvent[]): ProofEvent[] {
  return events.filter(({ kind, body }) => kind === 'proof.recorded' && isOfWhole(body, source)) as ProofEvent[];
}

function isOfWhole(body: ProofRecorded, source: string): boolean {
  return body.source === source && body.part === undefined;
}

function newestOfEach(events: readonly ProofEvent[], keyOf: (event: ProofEvent) => string): Map<string, ProofEvent> {
  const newest = new Map<string, ProofEvent>();
  for (const event of events) {
    newest.delete(keyOf(event));
    newest.set(keyOf(event), event);
  }
  return newest;
}
