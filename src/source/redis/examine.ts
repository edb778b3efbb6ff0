import { isHoldfastError } from '../../foundation/errors.ts';
import { type Finding, findingOfError } from '../index.ts';
import { Connection } from './connection/connection.ts';
import { type Location, labelOf } from './connection/location.ts';
import { ReplicaLink } from './replication/replica-link.ts';
import { inspectServer, type ServerFacts } from './server.ts';

/** Says whether a backup of the server can be taken, and how good it would be. It changes nothing there. */
export async function examineServer(
  location: Location,
  method: 'replication' | 'scan',
  signal: AbortSignal,
): Promise<Finding[]> {
  let facts: ServerFacts;
  try {
    const connection = await Connection.open(location, { side: 'source', signal });
    try {
      facts = await inspectServer(connection);
    } finally {
      connection.destroy();
    }
  } catch (error) {
    if (signal.aborted || !isHoldfastError(error)) throw error;
    return [findingOfError('connection', error)];
  }
  const reached: Finding = {
    level: 'ok',
    about: 'connection',
    message: `${facts.server} ${facts.version} at ${labelOf(location)}`,
  };
  return [reached, method === 'scan' ? SCANNED : await examineReplication(location, signal)];
}

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

async function examineReplication(location: Location, signal: AbortSignal): Promise<Finding> {
  try {
    const link = await ReplicaLink.open(location, { signal, purpose: 'rdb-only' });
    link.close();
    return { level: 'ok', about: 'replication', message: 'a replica is let in' };
  } catch (error) {
    if (signal.aborted || !isHoldfastError(error)) throw error;
    return findingOfError('replication', error);
  }
}
