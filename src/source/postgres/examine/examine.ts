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
  let location: Location | undefined;
  try {
    location = await options.location();
    return await examineAt(location, options, context);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    return [location === undefined ? findingOfError('url', error) : connectionFinding(error, location)];
  }
}

async function examineAt(
  location: Location,
  { method, slot }: ExamineOptions,
  { signal, longestGapMs }: ExamineContext,
): Promise<Finding[]> {
  const session = await Session.open(location, { side: 'source', signal });
  try {
    const message = `${labelOf(location)} lets ${location.user} in`;
    const connected: Finding = { level: 'ok', about: 'connection', message };
    const found =
      method === 'physical'
        ? await examinePhysical(session, { slot, longestGapMs, signal })
        : await examineLogical(session, longestGapMs);
    return [connected, ...found];
  } finally {
    await session.close();
  }
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
