import { setTimeout as pause } from 'node:timers/promises';
import { HoldfastError } from '../../foundation/errors.ts';
import { labelOf } from './location.ts';
import type { Session } from './session.ts';
import { sqlFile } from './sql-files.ts';

const PAUSE_MS = 50;
const LONGEST_MS = 10_000;

/**
 * Ends whoever is about to get in by what the server went by before: a client may have its login take long, and shows up among
 * the sessions afterwards (`post_auth_delay` is the client's to choose). Called once the server goes by something else: who
 * comes later is judged by that. Whoever else is on the way in has to come again. By who is no superuser nobody is ended.
 * Source: PostgreSQL's `InitPostgres`, which takes a virtual transaction first of all, and lists the session last.
 * @throws source-refused where one does not end
 */
export async function endLateSessions(session: Session, signal: AbortSignal): Promise<void> {
  const look = (pids: readonly string[] | undefined) =>
    session.query('end who is about to get in', sqlFile('end-late-sessions'), [pids ? JSON.stringify(pids) : null]);
  const late = (await look(undefined)).map(({ pid }) => pid ?? '');
  for (let waitedMs = 0; late.length > 0 && (await look(late)).length > 0; waitedMs += PAUSE_MS) {
    if (waitedMs > LONGEST_MS) {
      throw new HoldfastError('source-refused', `logins at ${labelOf(session.location)} do not end`, {
        hint: 'See in pg_locks who has a virtual transaction and is not in pg_stat_activity, and have the step done again.',
        context: { database: labelOf(session.location) },
      });
    }
    await pause(PAUSE_MS, undefined, { signal });
  }
}
