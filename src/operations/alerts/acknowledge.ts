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

export interface Acknowledged {
  /** Its whole id. */
  id: string;
  /** As it is then; absent where no ledger could be read. */
  alert?: Alert;
  /** Whether it was acknowledged now. */
  isNew: boolean;
  /** Why nobody looked whether there is such an alert: what was said waits on this machine. */
  unseen?: HoldfastError;
}

/** As every alert has one, and every message about it names it. */
const WHOLE_ID = /^[0-9a-f]{12}$/;

/**
 * Records that somebody sees to an alert: nobody else is woken for it. One that was acknowledged before stays so. While no
 * ledger can be read, which is itself what people are woken for, a whole id is taken as it is.
 * @throws unknown-alert where there is none, or it is over; why no ledger could be read, where the id is not whole
 */
export async function acknowledgeAlert(
  workspace: Workspace,
  { alert: id, by = `${currentUser().username}@${hostname()}`, note }: Acknowledgement,
): Promise<Acknowledged> {
  const { book, unread, away } = await readBook(workspace);
  const said = { by, ...(note !== undefined && { note }) };
  if (away !== undefined && matching(book, id).length === 0) {
    if (!WHOLE_ID.test(id)) throw away;
    await appendToPlanLedger(workspace)({ kind: 'alert.acknowledged', body: { alert: id, ...said } });
    return { id, isNew: true, unseen: away };
  }
  const booked = openAlert(book, id, unread[0]?.error);
  const isNew = booked.acknowledged === undefined;
  if (isNew) {
    await appendToPlanLedger(workspace)({ kind: 'alert.acknowledged', body: { alert: booked.id, ...said } });
    booked.acknowledged = { by, timeMs: workspace.environment.clock.nowMs() };
  }
  return { id: booked.id, alert: alertOf(workspace.plan, booked), isNew };
}

/** Those whose id begins so. */
function matching(book: AlertBook, id: string): BookedAlert[] {
  return id === '' ? [] : book.alerts.filter((each) => each.id.startsWith(id));
}

/** @param unread why not all alerts are known */
function openAlert(book: AlertBook, id: string, unread: HoldfastError | undefined): BookedAlert {
  const alike = matching(book, id);
  const found = book.get(id) ?? (alike.length === 1 ? alike[0] : undefined);
  if (found === undefined) {
    const many = alike.length > 1 ? `${alike.length} alerts have an id` : 'no alert has an id';
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
