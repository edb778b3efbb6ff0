import type { Alert } from '../../alert/index.ts';
import type { Workspace } from '../workspace.ts';
import { alertOf } from './alert-view.ts';
import { type BookedAlert, type Mute, muteOf } from './book.ts';
import { type ReadBook, readBook } from './plan-ledger.ts';

export interface ListedAlert extends Alert {
  /** Nobody is told until then (RFC 3339), and why. */
  muted?: { until: string; why: string; by: string };
  acknowledgedNote?: string;
  /** Which channels took it, and for which reasons; and which did not. */
  told: { channel: string; reasons: string[]; refused: boolean }[];
}

export interface ListedAlerts {
  /** The newest first. */
  alerts: ListedAlert[];
  /** Repositories whose ledger could not be read: there may be more. */
  unread: ReadBook['unread'];
  /** Those that hold now. */
  mutes: { rule: string; subject?: string; until: string; why: string; by: string }[];
}

/**
 * What is wrong, and what nobody is told of for now.
 * @param all whether also what is over
 * @throws why no ledger could be read, where nothing of alerts waits on this machine either
 */
export async function listAlerts(workspace: Workspace, { all }: { all: boolean }): Promise<ListedAlerts> {
  const { book, unread, away } = await readBook(workspace);
  if (away !== undefined && book.alerts.length + book.mutes.length === 0) throw away;
  const nowMs = workspace.environment.clock.nowMs();
  const alerts = (all ? book.alerts : book.open).map((each) => listed(workspace, each, book.mutes, nowMs));
  const mutes = book.mutes
    .filter(({ fromMs, untilMs }) => fromMs <= nowMs && nowMs < untilMs)
    .map(({ fromMs: _from, untilMs, ...mute }) => ({ ...mute, until: new Date(untilMs).toISOString() }));
  return { alerts: alerts.reverse(), mutes, unread };
}

function listed({ plan }: Workspace, booked: BookedAlert, mutes: readonly Mute[], nowMs: number): ListedAlert {
  const mute = muteOf(booked, mutes, nowMs);
  const said = booked.acknowledged?.note;
  return {
    ...alertOf(plan, booked),
    ...(mute && { muted: { until: new Date(mute.untilMs).toISOString(), why: mute.why, by: mute.by } }),
    ...(said !== undefined && { acknowledgedNote: said }),
    told: [...booked.told].map(([channel, { reasons, refused }]) => ({
      ...{ channel, reasons: [...reasons], refused: refused.size > 0 },
    })),
  };
}
