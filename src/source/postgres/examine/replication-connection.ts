import { isHoldfastError } from '../../../foundation/errors.ts';
import { type Finding, findingOfError } from '../../index.ts';
import type { Location } from '../location.ts';
import type { ClusterFacts } from '../physical/cluster.ts';
import { openReplication, replicationLine, whyRefused } from '../physical/replication.ts';
import { afterReload } from './reload.ts';

const ABOUT = 'replication connection';

/** Opens a connection for replication: only the server knows whether it lets one in. */
export async function examineReplicationConnection(
  location: Location,
  facts: ClusterFacts,
  signal: AbortSignal,
): Promise<Finding> {
  const letIn: Finding = {
    level: 'ok',
    about: ABOUT,
    message: `the server's pg_hba.conf lets ${location.user} in for replication`,
  };
  try {
    await (await openReplication(location, facts, signal)).close();
    return letIn;
  } catch (error) {
    signal.throwIfAborted();
    if (!isHoldfastError(error)) throw error;
    switch (whyRefused(error)) {
      case 'no-privilege':
        // The server asks its pg_hba.conf first; that the role lacks the attribute is a finding of its own.
        return letIn;
      case 'no-sender-left':
        return {
          level: 'warning',
          about: ABOUT,
          message: `whether the server's pg_hba.conf lets ${location.user} in for replication cannot be told before one of max_wal_senders is free`,
        };
      case 'no-line':
        return {
          level: 'missing',
          about: ABOUT,
          message: error.message,
          mend: afterReload(replicationLine(location, facts)),
        };
      default:
        return findingOfError(ABOUT, error);
    }
  }
}
