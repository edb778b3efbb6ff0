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
  for (const kept of scenario.kept) {
    const stored = storedOf(kept, simulated);
    verdict.count(kept.repository === 'archive' ? 'copies made' : 'backups taken', stored.length);
    for (const listing of inspection.listings) {
      if (listing.repository === kept.repository) judgeListing(kept, stored, listing, simulated, verdict);
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

function judgeListing(
  { repository, source, retention }: KeptSource,
  stored: readonly Stored[],
  { atMs, snapshots }: Listing,
  { all, events, clock }: Simulated,
  verdict: Verdict,
): void {
  verdict.count('listings judged');
  const known = stored.filter(({ storedMs }) => storedMs <= atMs);
  const retainedMs = retainedBefore(repository, atMs, all);
  // What came in the minute of the retention, it may have seen or not.
  const [before, until] = [(ms: number) => ms < retainedMs, (ms: number) => ms <= retainedMs].map((isSeen) =>
    promised(
      known.filter(({ storedMs }) => isSeen(storedMs)).map(({ timeMs }) => timeMs),
      retention,
      clock,
    ),
  ) as [Set<number>, Set<number>];
  const spared = provenNewest(source, stored, retainedMs, events[repository] ?? []);
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

/** When the retention of a repository began last that came to its end. */
function retainedBefore(repository: string, atMs: number, events: Simulated['events'][string]): number {
  const done = new Set(
    eventsOf(events, 'run.finished').flatMap(({ body }) => (body.outcome === 'failed' ? [] : [body.run])),
  );
  const runs = eventsOf(events, 'run.started').filter(
    ({ body, time }) => body.task === `retain:${repository}` && done.has(body.run) && Date.parse(time) <= atMs,
  );
  return Math.max(0, ...runs.map(({ time }) => Date.parse(time)));
}

/** What was proven is not let go while nothing newer is. */
function provenNewest(
  source: string,
  stored: readonly Stored[],
  atMs: number,
  events: Simulated['events'][string],
): string | undefined {
  const proven = new Set(
    eventsOf(events, 'proof.recorded').flatMap(({ body, time }) =>
      body.source === source && body.state === 'proven' && Date.parse(time) <= atMs ? [body.snapshot] : [],
    ),
  );
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
