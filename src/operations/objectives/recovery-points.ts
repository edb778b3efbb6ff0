import { snapshotTimeMs } from '../../format/index.ts';
import { CLOCK_TOLERANCE_MS } from '../../foundation/clock.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { StoredSnapshot } from '../../repository/index.ts';
import { isPartial } from '../snapshots-of.ts';
import type { KnownPoint } from './coverage.ts';

/** What could be recovered of a source, and when. */
export interface RecoveryPoints {
  /** Every complete backup. */
  nominal: KnownPoint[];
  /** Those that were proven, from the proof on. */
  proven: KnownPoint[];
  /** Snapshots that are gone though nobody recorded that they were removed: they count as if they were there. */
  vanished: number;
  /** When the source was first to be backed up; undefined where it never was. */
  beganMs: number | undefined;
}

interface BackupPoint extends KnownPoint {
  tree: string;
}

/**
 * @param snapshots the source's own that are there, oldest first, those of its log left out
 * @param events of its repository's ledger, oldest first
 */
export function recoveryPoints(
  source: string,
  snapshots: readonly StoredSnapshot[],
  events: readonly LedgerEvent[],
): RecoveryPoints {
  const points = new Map<string, BackupPoint>();
  const byTree = new Map<string, BackupPoint>();
  const proofs: { of: BackupPoint; timeMs: number; sinceMs: number }[] = [];
  let beganMs: number | undefined;
  const add = (id: string, point: BackupPoint): void => {
    beganMs = Math.min(beganMs ?? point.sinceMs, point.sinceMs);
    if (point.timeMs > point.sinceMs + CLOCK_TOLERANCE_MS) return;
    points.set(id, point);
    byTree.set(point.tree, point);
  };
  const recorded = new Set(events.flatMap(({ kind, body }) => (kind === 'backup.finished' ? [body.snapshot] : [])));
  for (const snapshot of snapshots) {
    if (recorded.has(snapshot.id) || isPartial(snapshot)) continue;
    const timeMs = snapshotTimeMs(snapshot);
    add(snapshot.id, { timeMs, sinceMs: timeMs, tree: snapshot.tree });
  }
  for (const event of events) {
    const atMs = Date.parse(event.time);
    switch (event.kind) {
      case 'backup.failed':
        if (event.body.source === source && event.body.only === undefined) beganMs ??= atMs;
        break;
      case 'backup.finished': {
        const { only, outcome, snapshot, tree, time } = event.body;
        if (event.body.source !== source || only !== undefined) break;
        if (outcome === 'complete') add(snapshot, { timeMs: Date.parse(time), sinceMs: atMs, tree });
        else beganMs ??= atMs;
        break;
      }
      case 'proof.recorded': {
        const { state, part, tree, log } = event.body;
        const of = byTree.get(tree);
        if (event.body.source !== source || state !== 'proven' || part || of === undefined) break;
        const timeMs = log === undefined ? of.timeMs : Date.parse(log.time ?? '');
        if (!Number.isNaN(timeMs)) proofs.push({ of, timeMs, sinceMs: atMs });
        break;
      }
      case 'retention.decided':
        for (const { snapshot } of event.body.source === source ? event.body.removed : []) {
          const point = points.get(snapshot);
          if (point !== undefined) point.untilMs ??= atMs;
        }
        break;
      default:
    }
  }
  // What is proven of a backup goes when it goes.
  const proven = proofs.map(({ of: { untilMs }, ...proof }) => ({
    ...proof,
    ...(untilMs !== undefined && { untilMs }),
  }));
  const there = new Set(snapshots.map(({ id }) => id));
  const vanished = [...points].filter(([id, { untilMs }]) => untilMs === undefined && !there.has(id)).length;
  return { nominal: [...points.values()], proven, vanished, beganMs };
}
