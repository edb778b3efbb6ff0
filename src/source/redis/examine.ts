import { isHoldfastError } from '../../foundation/errors.ts';
import { type Finding, findingOfError } from '../index.ts';
import { Connection } from './connection/connection.ts';
import { type Location, labelOf } from './connection/location.ts';
import { ReplicaLink } from './replication/replica-link.ts';
import { tryScan } from './scan/scan.ts';
import { inspectServer } from './server.ts';
import { lookAt } from './stream/look.ts';

/** Says whether a backup of the server can be taken, and how good it would be. It changes nothing there. */
export async function examineServer(
  location: Location,
  { method, isFollowed }: { method: 'replication' | 'scan'; isFollowed: boolean },
  signal: AbortSignal,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  try {
    const connection = await Connection.open(location, { side: 'source', signal });
    try {
      const { server, version } = await inspectServer(connection);
      findings.push({ level: 'ok', about: 'connection', message: `${server} ${version} at ${labelOf(location)}` });
      if (isFollowed) findings.push(await examineStream(connection));
    } finally {
      connection.destroy();
    }
  } catch (error) {
    if (signal.aborted || !isHoldfastError(error)) throw error;
    return [findingOfError('connection', error)];
  }
  return [
    ...findings,
    ...(method === 'scan'
      ? [await examineKeys(location, signal), SCANNED]
      : [await examineReplication(location, signal)]),
  ];
}

/** Asks what a follower asks: where the stream is and what time it is there, at one moment. */
async function examineStream(connection: Connection): Promise<Finding> {
  try {
    await lookAt(connection, () => 0);
    return { level: 'ok', about: 'stream', message: 'says where its stream is, and what time it is there' };
  } catch (error) {
    if (!isHoldfastError(error, 'source-refused')) throw error;
    const found = findingOfError('stream', error);
    const isDenied = String(error.context['reason']).startsWith('NOPERM');
    return isDenied ? { ...found, mend: { place: 'person', lines: [MAY_FOLLOW] } } : found;
  }
}

const MAY_FOLLOW =
  'Give the user `ACL SETUSER USER +multi +exec +time +info`: with these the stream is stamped with the time.';

const SCANNED: Finding = {
  level: 'warning',
  about: 'method',
  message: 'keys are read one after the other while others write: a backup is not of one moment',
  mend: {
    place: 'plan',
    lines: ['method: replication'],
    note: 'Where the service lets a replica connect.',
  },
};

/** Reads the first keys as a backup does. */
async function examineKeys(location: Location, signal: AbortSignal): Promise<Finding> {
  const connection = await Connection.open(location, { side: 'source', signal });
  try {
    await tryScan(connection);
    return { level: 'ok', about: 'keys', message: 'keys, their times to live and functions may be read' };
  } catch (error) {
    if (signal.aborted || !isHoldfastError(error)) throw error;
    return findingOfError('keys', error);
  } finally {
    connection.destroy();
  }
}

async function examineReplication(location: Location, signal: AbortSignal): Promise<Finding> {
  try {
    const link = await ReplicaLink.open(location, { signal, purpose: 'rdb-only' });
    try {
      await link.tryOut();
    } finally {
      link.close();
    }
    return { level: 'ok', about: 'replication', message: 'a replica is let in' };
  } catch (error) {
    if (signal.aborted || !isHoldfastError(error)) throw error;
    return findingOfError('replication', error);
  }
}
