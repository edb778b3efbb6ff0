/** Whether every snapshot that the retention promises was there every day and came back, and none that it does not promise. */
import { restic } from '../support/restic.ts';
import type { Listing } from './inspection.ts';
import { promised } from './oracle.ts';
import type { Simulated } from './run.ts';
import type { KeptSource, Scenario } from './scenario.ts';
import { eventsOf, iso, type Verdict } from './verdict.ts';

/** A snapshot that the ledger says was stored. */
interface Stored {
  id: string;
  /** The moment that it is of. */
  timeMs: number;
  /** When it came to the repository. */
  storedMs: number;
}

export function judgeSnapshots(scenario: Scenario, simulated: Simulated, verdict: Verdict): void {
  const { inspection } = simulated;
  // Where a run stands is the daemon's choice: that of an archive's retention is in its primary's ledger.
  const everywhere = Object.values(simulated.events).flat();
  const names = Object.entries(simulated.events);
  const upkeep = new Map(names.map(([name, events]) => [name, upkeepIn(name, events, everywhere)]));
  for (const kept of scenario.kept) {
    const stored = storedOf(kept, simulated);
    verdict.count(kept.repository === 'archive' ? 'copies made' : 'backups taken', stored.length);
    for (const listing of inspection.listings) {
      if (listing.repository !== kept.repository) continue;
      judgeListing(kept, stored, { ...listing, ...upkeep.get(kept.repository)! }, simulated, verdict);
    }
    judgeSamples(kept, stored, simulated, verdict);
  }
  for (const fault of inspection.faults) verdict.fault(fault);
  verdict.count('snapshots restored', inspection.restored);
  for (const [name, { directory, password }] of Object.entries(scenario.repositories)) {
    const { status, errorOutput } = restic(directory, ['check', '--read-data'], { password, mayFail: true });
    if (status !== 0) verdict.fault(`restic finds ${name} damaged: ${errorOutput}`);
    const last = inspection.samples.findLast(({ repository }) => repository === name);
    verdict.count('snapshots kept', last?.snapshots.length ?? 0);
  }
}

function storedOf({ repository, source }: KeptSource, { events }: Simulated): Stored[] {
  const own = events[repository] ?? [];
  const backups = eventsOf(own, 'backup.finished').filter(({ body }) => body.source === source);
  const copies = eventsOf(own, 'archive.finished').flatMap(({ body, time }) =>
    body.sources.filter((each) => each.source === source).map((each) => ({ ...each, id: each.copy, stored: time })),
  );
  const taken = backups.map(({ body, time }) => ({ id: body.snapshot, time: body.time, stored: time }));
  const all = [...taken, ...copies].map(({ id, time, stored }) => {
    return { id, timeMs: Date.parse(time), storedMs: Date.parse(stored) };
  });
  // What was copied once is not copied again.
  return [...new Map(all.reverse().map((each) => [each.id, each])).values()].reverse();
}

/** What tells of a repository's ledger when it was tidied up, and what stayed for its own reasons then. */
interface Upkeep {
  /** When retentions began that came to their end, oldest first. */
  retainedMs: readonly number[];
  /** By source, oldest first. */
  proven: ReadonlyMap<string, readonly { snapshot: string; timeMs: number }[]>;
}

type Events = Simulated['events'][string];

function upkeepIn(repository: string, events: Events, everywhere: Events): Upkeep {
  const done = new Set(
    eventsOf(everywhere, 'run.finished').flatMap(({ body }) => (body.outcome === 'failed' ? [] : [body.run])),
  );
  const runs = eventsOf(everywhere, 'run.started').filter(
    ({ body }) => body.task === `retain:${repository}` && done.has(body.run),
  );
  const proofs = eventsOf(events, 'proof.recorded').filter(({ body }) => body.state === 'proven');
  const proven = proofs.map(({ body, time }) => ({ ...body, timeMs: Date.parse(time) }));
  return {
    retainedMs: runs.map(({ time }) => Date.parse(time)),
    proven: Map.groupBy(proven, ({ source }) => source),
  };
}

function judgeListing(
  { repository, source, retention }: KeptSource,
  stored: readonly Stored[],
  { atMs, snapshots, retainedMs: retained, proven }: Listing & Upkeep,
  { clock }: Simulated,
  verdict: Verdict,
): void {
  verdict.count('listings judged');
  const known = stored.filter(({ storedMs }) => storedMs <= atMs);
  const retainedMs = retained.findLast((each) => each <= atMs) ?? 0;
  // What came in the minute of the retention, it may have seen or not.
  const [before, until] = [(ms: number) => ms < retainedMs, (ms: number) => ms <= retainedMs].map((isSeen) =>
    promised(
      known.filter(({ storedMs }) => isSeen(storedMs)).map(({ timeMs }) => timeMs),
      retention,
      clock,
    ),
  ) as [Set<number>, Set<number>];
  const spared = provenNewest(stored, proven.get(source) ?? [], retainedMs);
  for (const { id, timeMs, storedMs } of known) {
    const isNew = storedMs >= retainedMs;
    const isThere = snapshots.has(id);
    const what = `${source} of ${iso(timeMs)} in ${repository}`;
    if (!isThere && (isNew || (before.has(timeMs) && until.has(timeMs)))) {
      verdict.fault(`${what} was promised and is gone on ${iso(atMs)}`);
    }
    const mayStay = isNew || before.has(timeMs) || until.has(timeMs) || spared === id;
    if (isThere && !mayStay) verdict.fault(`${what} was to go and is there on ${iso(atMs)}`);
    if (isThere) verdict.count('snapshots looked for and found');
  }
}

/** What was proven is not let go while nothing newer is. */
function provenNewest(
  stored: readonly Stored[],
  proofs: NonNullable<ReturnType<Upkeep['proven']['get']>>,
  atMs: number,
): string | undefined {
  const proven = new Set(proofs.flatMap(({ snapshot, timeMs }) => (timeMs <= atMs ? [snapshot] : [])));
  return stored.findLast(({ id }) => proven.has(id))?.id;
}

/** Stock restic and the ledger know the same snapshots, of the same moments. */
function judgeSamples(
  { repository, source }: KeptSource,
  stored: readonly Stored[],
  { inspection }: Simulated,
  verdict: Verdict,
): void {
  const known = new Map(stored.map(({ id, timeMs }) => [id, timeMs]));
  for (const sample of inspection.samples.filter((each) => each.repository === repository)) {
    const own = sample.snapshots.filter((each) => each.source === source);
    const isAnyStored = stored.some(({ storedMs }) => storedMs < sample.atMs);
    if (own.length === 0 && isAnyStored)
      verdict.fault(`${source} has no snapshot in ${repository} on ${iso(sample.atMs)}`);
    for (const { id, timeMs } of own) {
      if (known.get(id) !== timeMs)
        verdict.fault(`restic lists ${id} of ${iso(timeMs)}, which the ledger does not say`);
    }
  }
}
