import { hostname } from 'node:os';
import type { Alert } from '../../alert/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { currentUser } from '../../foundation/user.ts';
import type { Workspace } from '../workspace.ts';
import { alertOf } from './alert-view.ts';
import type { AlertBook, BookedAlert } from './book.ts';
import { appendToPlanLedger, readBook } from './plan-ledger.ts';

export interface Acknowledgement {
  /** The id, or what it begins with as long as there is no other. */
  alert: string;
  /** Who sees to it; whoever runs this when left out. */
  by?: string;
  note?: string;
}

/**
 * Records that somebody sees to an alert: nobody else is woken for it. One that was acknowledged before stays so.
 * @returns it as it is then, and whether it was acknowledged now
 * @throws unknown-alert where there is none, or it is over
 */
export async function acknowledgeAlert(
  workspace: Workspace,
  { alert: id, by = `${currentUser().username}@${hostname()}`, note }: Acknowledgement,
): Promise<{ alert: Alert; isNew: boolean }> {
  const { book, unread } = await readBook(workspace);
  const booked = openAlert(book, id, unread[0]?.error);
  const isNew = booked.acknowledged === undefined;
  if (isNew) {
    const body = { alert: booked.id, by, ...(note !== undefined && { note }) };
    await appendToPlanLedger(workspace)({ kind: 'alert.acknowledged', body });
    booked.acknowledged = { by, timeMs: workspace.environment.clock.nowMs() };
  }
  return { alert: alertOf(workspace.plan, booked), isNew };
}

/** @param unread why not all alerts are known */
function openAlert(book: AlertBook, id: string, unread: HoldfastError | undefined): BookedAlert {
  const matching = book.alerts.filter((each) => each.id.startsWith(id));
  const found = book.get(id) ?? (matching.length === 1 ? matching[0] : undefined);
  if (found === undefined || id === '') {
    const many = matching.length > 1 && id !== '' ? `${matching.length} alerts have an id` : 'no alert has an id';
    throw new HoldfastError('unknown-alert', `${many} that begins with ${JSON.stringify(id)}`, {
      hint: 'See `holdfast alert list`.',
      ...(unread !== undefined && { cause: unread, context: { unread: unread.message } }),
    });
  }
  if (found.resolvedMs === undefined) return found;
  throw new HoldfastError(
    'unknown-alert',
    `the alert ${found.id} is over since ${new Date(found.resolvedMs).toISOString()}`,
    {
      hint: 'See `holdfast alert list --all`.',
    },
  );
}
