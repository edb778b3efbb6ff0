import { type LedgerEvent, type LedgerFolded, removedByFold } from '../../ledger/index.ts';
import {
  indexKey,
  isCovered,
  LEDGER_PREFIX,
  type LogRange,
  packKey,
  parseLsnText,
  parseTailKey,
  snapshotKey,
} from '../../repository/index.ts';
import { foldedRanges } from '../log/wal-snapshots.ts';
import { readableSnapshots } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';

/**
 * Which of these objects somebody said were to be removed: whatever Holdfast removes it names in the ledger before the
 * first of it goes. So may what a person accepted as missing, and a part of a log's tail once a snapshot has it.
 * @throws repository-damaged when the ledger cannot be believed: then nothing may be removed
 */
export async function namedAsRemoved(
  { plan }: Pick<Workspace, 'plan'>,
  { repository, ledger }: Pick<OpenedRepository, 'repository' | 'ledger'>,
  keys: readonly string[],
): Promise<Set<string>> {
  const events = await ledger.read();
  const named = new Set(events.flatMap(removedBy));
  for (const event of events) {
    if (event.kind !== 'ledger.folded') continue;
    for (const key of keys) if (isFolded(event.body, key)) named.add(key);
  }
  const parts = keys.flatMap((key) => parseTailKey(key) ?? []);
  if (parts.length > 0) {
    const folded = events.flatMap(foldedBy);
    const { snapshots } = await readableSnapshots(repository);
    for (const { key, plan: owner, source, system, ...range } of parts) {
      const inSnapshots = foldedRanges(snapshots, owner, source).filter((each) => each.system === system);
      const inEvents = folded.filter((each) => each.source === source && each.system === system && owner === plan.name);
      if (isCovered(range, [...inSnapshots, ...inEvents])) named.add(key);
    }
  }
  return new Set(keys.filter((key) => named.has(key)));
}

function isFolded(body: LedgerFolded, key: string): boolean {
  return key.startsWith(LEDGER_PREFIX) && removedByFold(body, key.slice(LEDGER_PREFIX.length));
}

/** The objects, by key, that an event says are to be removed, one by one. */
export function removedBy({ kind, body }: LedgerEvent): string[] {
  switch (kind) {
    case 'retention.decided':
    case 'log.superseded':
      return body.removed.map(({ snapshot }) => snapshotKey(snapshot));
    case 'prune.removing':
      return [...body.packs.map(packKey), ...body.indexes.map(indexKey)];
    case 'repair.removing':
      return body.indexes.map(indexKey);
    case 'key.removing':
    // What older versions recorded, once it was gone.
    case 'key.removed':
      return [`keys/${body.key}`];
    case 'missing.accepted':
      return body.objects;
    default:
      return [];
  }
}

function foldedBy({ kind, body }: LedgerEvent): (LogRange & { source: string; system: string })[] {
  if (kind !== 'log.folded') return [];
  const { source, system, timeline, start, end } = body;
  return [{ source, system, timeline, start: parseLsnText(start), end: parseLsnText(end) }];
}
