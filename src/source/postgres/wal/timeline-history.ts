import { HoldfastError } from '../../../foundation/errors.ts';
import { type LogPosition, parseLsnText } from '../../../repository/index.ts';

/** Where a timeline was left for the next one. */
interface Switch {
  timeline: number;
  lsn: bigint;
}

/**
 * The timelines that a timeline comes from, oldest first, each with where it was left.
 * Source: PostgreSQL's src/backend/access/transam/timeline.c; the documentation's "Timelines" names the files.
 * @throws source-unsupported
 */
export function parseHistory(text: string): Switch[] {
  const switches: Switch[] = [];
  for (const line of text.split('\n')) {
    const [timeline, lsn] = line.trim().split(/\s+/);
    if (timeline === undefined || timeline === '' || timeline.startsWith('#')) continue;
    if (!/^\d+$/.test(timeline)) {
      throw new HoldfastError('source-unsupported', 'the server sent a timeline history that is none');
    }
    switches.push({ timeline: Number(timeline), lsn: parseLsnText(lsn) });
  }
  return switches;
}

/**
 * Where the log goes on behind a position that is at, or beyond, the end of its timeline: what a server wrote there after
 * another one had been promoted is no part of the log any more.
 * @param current the server's timeline, whose history it is
 * @returns undefined while there is more on the position's own timeline
 * @throws source-changed when the position's timeline is none of those that the server's comes from
 */
export function nextTimeline(position: LogPosition, current: number, history: Switch[]): LogPosition | undefined {
  const index = history.findIndex(({ timeline }) => timeline === position.timeline);
  const left = history[index];
  if (left === undefined) {
    throw new HoldfastError(
      'source-changed',
      `the server is on timeline ${current}, which does not come from timeline ${position.timeline} that is in the repository`,
      { hint: 'See whether the URL names the right server; if it does, follow it as a source of another name.' },
    );
  }
  if (position.lsn < left.lsn) return undefined;
  return { timeline: history[index + 1]?.timeline ?? current, lsn: left.lsn };
}
