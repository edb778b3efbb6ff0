import type { BackupFinished } from '../../ledger/index.ts';
import { anomalyOf, type BackupSize, MOST_BEFORE } from '../backup/anomaly.ts';
import type { OpenedRepository } from '../workspace.ts';

const DAY_MS = 24 * 3_600_000;

/** What was captured at a moment, milliseconds since 1970. */
export interface Change extends BackupSize {
  timeMs: number;
}

/** A snapshot, as events name it. */
type Named = Pick<BackupFinished, 'snapshot' | 'tree' | 'time'>;

/**
 * What was captured as it changed, as one backup a day would have found it: some seconds are like no others, and a day is like
 * most days. The last 24 hours, and of those before them all that had a change. Pure.
 * @param changes oldest first
 */
export function changesByDay(
  changes: readonly Change[],
  nowMs: number,
): { last: BackupSize | undefined; before: BackupSize[] } {
  const days = new Map<number, BackupSize>();
  for (const { timeMs, bytesProcessed, bytesAdded, bytesStored } of changes) {
    const day = Math.max(0, Math.floor((nowMs - timeMs) / DAY_MS));
    const sum = days.get(day) ?? { bytesProcessed, bytesAdded: 0, bytesStored: 0 };
    const isKnown = bytesStored !== undefined && sum.bytesStored !== undefined;
    days.set(day, {
      bytesProcessed,
      bytesAdded: sum.bytesAdded + bytesAdded,
      bytesStored: isKnown ? sum.bytesStored! + bytesStored : undefined,
    });
  }
  const { 0: last, ...before } = Object.fromEntries(days) as Record<number, BackupSize>;
  return { last, before: Object.values(before) };
}

/** Holds what is captured of a source that is followed against the days before, and marks it as suspect as `judgeChange` does. */
export class FollowedJudge {
  readonly #opened: OpenedRepository;
  /** Of the last days, oldest first; read from the ledger at the first one that is judged. */
  #changes: Change[] | undefined;
  /** When something of it was suspected last: what came that day is not suspected again. */
  #suspectedMs = Number.NEGATIVE_INFINITY;

  constructor(opened: OpenedRepository) {
    this.#opened = opened;
  }

  /**
   * @param finished what the ledger has of all that was captured since the last time
   * @param first the first snapshot of those: what there is to go back to comes before it
   * @returns why it is suspect, if it is
   */
  async judge(finished: BackupFinished, first: Named, nowMs: number): Promise<string | undefined> {
    if (finished.outcome !== 'complete') return undefined;
    this.#changes ??= await this.#read(finished);
    const sinceMs = nowMs - (MOST_BEFORE + 1) * DAY_MS;
    this.#changes = [...this.#changes.filter(({ timeMs }) => timeMs > sinceMs), { ...finished, timeMs: nowMs }];
    if (Math.abs(nowMs - this.#suspectedMs) < DAY_MS) return undefined;
    const { last, before } = changesByDay(this.#changes, nowMs);
    const why = last && anomalyOf(last, before);
    if (why === undefined) return undefined;
    const inADay = `within 24 hours: ${why}`;
    const marked = [...new Map([first, finished].map((each) => [each.tree, each])).values()];
    await this.#opened.ledger.appendAll(
      marked.map(({ snapshot, tree, time }) => ({
        kind: 'snapshot.suspected',
        body: { source: finished.source, snapshot, tree, time, why: inADay },
      })),
    );
    this.#suspectedMs = nowMs;
    return inADay;
  }

  async #read({ source, snapshot: own }: BackupFinished): Promise<Change[]> {
    const changes: Change[] = [];
    for (const { kind, body, time } of await this.#opened.ledger.read()) {
      const timeMs = Date.parse(time);
      if (kind === 'snapshot.suspected' && body.source === source) this.#suspectedMs = timeMs;
      if (kind !== 'backup.finished' || body.source !== source || body.snapshot === own) continue;
      if (body.only !== undefined || body.outcome !== 'complete') continue;
      const { bytesProcessed, bytesAdded, bytesStored } = body;
      changes.push({ timeMs, bytesProcessed, bytesAdded, bytesStored });
    }
    return changes;
  }
}
