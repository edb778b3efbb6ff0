import type { HoldfastError } from '../../foundation/errors.ts';
import { type LedgerEvent, mergedByTime } from '../../ledger/index.ts';
import { reportable, type Workspace } from '../workspace.ts';
import { AlertBook, type AlertEventKind } from './book.ts';
import type { AppendAlertEvent } from './record.ts';

const ALERT_KINDS: readonly AlertEventKind[] = [
  ...(['alert.raised', 'alert.updated', 'alert.acknowledged', 'alert.resolved'] as const),
  ...(['alert.muted', 'alert.notified'] as const),
];

/** Records in the ledger of the first repository of the plan that takes it, or in a journal while none does. */
export function appendToPlanLedger(workspace: Workspace): AppendAlertEvent {
  return async ({ kind, body }) => {
    await workspace.recorder().record(kind, body);
  };
}

export interface ReadBook {
  book: AlertBook;
  /** Repositories whose ledger could not be read, and why: what it says of alerts is not in the book. */
  unread: { repository: string; error: HoldfastError }[];
  /** Why no ledger could be read: then the book has no more than what waits on this machine. */
  away?: HoldfastError;
}

/** The alerts of a plan, as the ledgers of its repositories tell them, and what waits for them on this machine. */
export async function readBook(workspace: Workspace): Promise<ReadBook> {
  const records: LedgerEvent[][] = [];
  const unread: ReadBook['unread'] = [];
  const names = workspace.homeNames;
  await Promise.all(
    names.map(async (repository) => {
      try {
        const { ledger } = await workspace.open(repository);
        records.push(await ledger.events({ kinds: ALERT_KINDS }));
      } catch (error) {
        unread.push({ repository, error: reportable(error, workspace.environment.signal) });
      }
    }),
  );
  records.push(await workspace.recorder().waiting());
  const away = unread.length === names.length ? unread[0]?.error : undefined;
  return { book: AlertBook.of(mergedByTime(records)), unread, ...(away && { away }) };
}
