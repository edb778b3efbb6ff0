import { type HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import { type ExamineContext, type Finding, findingOfError } from '../../index.ts';
import { hbaLine } from '../hba-line.ts';
import { type Location, labelOf } from '../location.ts';
import { Session } from '../session.ts';
import { examineLogical } from './logical.ts';
import { examinePhysical } from './physical.ts';
import { afterReload } from './reload.ts';

export interface ExamineOptions {
  location: () => Promise<Location>;
  method: 'logical' | 'physical';
  /** The replication slot of a source whose log is followed. */
  slot: string | undefined;
}

/** Says of everything that backups of a server need whether it is there. */
export async function examineServer(options: ExamineOptions, context: ExamineContext): Promise<Finding[]> {
  const { signal } = context;
  let location: Location;
  try {
    location = await options.location();
  } catch (error) {
    return [findingOf(error, signal, (known) => findingOfError('url', known))];
  }
  let session: Session;
  try {
    session = await Session.open(location, { side: 'source', signal });
  } catch (error) {
    return [findingOf(error, signal, (known) => connectionFinding(known, location))];
  }
  const message = `${labelOf(location)} lets ${location.user} in`;
  const connected: Finding = { level: 'ok', about: 'connection', message };
  try {
    return [connected, ...(await examineSession(session, options, context))];
  } catch (error) {
    return [connected, findingOf(error, signal, (known) => findingOfError('server', known))];
  } finally {
    await session.close();
  }
}

function examineSession(
  session: Session,
  { method, slot }: ExamineOptions,
  { signal, longestGapMs }: ExamineContext,
): Promise<Finding[]> {
  return method === 'physical'
    ? examinePhysical(session, { slot, longestGapMs, signal })
    : examineLogical(session, longestGapMs);
}

/** @throws what is no error of Holdfast's, and the reason of the signal: an interruption says nothing of the server */
function findingOf(error: unknown, signal: AbortSignal, say: (error: HoldfastError) => Finding): Finding {
  signal.throwIfAborted();
  if (isHoldfastError(error)) return say(error);
  throw error;
}

/** What a server says when no line of its pg_hba.conf fits; the address is that which it sees. */
const NO_LINE = /no pg_hba\.conf entry for host "([^"]+)"/;

function connectionFinding(error: HoldfastError, location: Location): Finding {
  const finding = findingOfError('connection', error);
  const [, host] = NO_LINE.exec(String(error.context['reason'])) ?? [];
  if (host === undefined) return finding;
  const { database, user, password } = location;
  const address = host === '[local]' ? undefined : host;
  return { ...finding, mend: afterReload(hbaLine({ database, user, address, hasPassword: password !== undefined })) };
}
