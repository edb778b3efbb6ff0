import { HoldfastError } from '../../../foundation/errors.ts';
import { quoteIdentifier } from '../identifiers.ts';
import type { Location } from '../location.ts';
import { labelOf } from '../location.ts';
import { managedServiceOf, managedServiceRefusal } from '../managed-service.ts';
import type { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';
import type { PageFormat } from './page-verifier.ts';

/** The first version whose BASE_BACKUP is what this is written for. */
export const OLDEST_MAJOR = 15;

/** What is known of a cluster before it is backed up. */
export interface ClusterFacts {
  majorVersion: number;
  serverVersion: string;
  serverVersionNumber: number;
  database: string;
  /** The managed service that it is of, if that allows no physical replication. */
  service: string | undefined;
  isStandby: boolean;
  walLevel: string;
  maxWalSenders: number;
  maxReplicationSlots: number;
  /** Whether the role may open a connection for replication. */
  mayReplicate: boolean;
  /** Undefined without checksums. */
  pages: PageFormat | undefined;
  directoryMode: number;
  /** Where Holdfast comes from, as the server sees it; undefined by a Unix socket. */
  clientAddress: string | undefined;
  /** A role that may log in and do everything; empty where there is none. */
  superuser: string;
  /** What a restored server may not have less of. */
  settings: Record<string, string>;
}

/**
 * Looks at a server, over an ordinary connection, and says what would keep a base backup from being taken.
 * @throws source-unsupported, source-refused
 */
export async function inspectCluster(session: Session): Promise<ClusterFacts> {
  const facts = await readCluster(session);
  refuseUnsuitable(session.location, facts);
  return facts;
}

/** Looks at a server, whether or not a base backup can be taken of it. */
export async function readCluster(session: Session): Promise<ClusterFacts> {
  const service = await managedServiceOf(session);
  const row = await session.one('look at the server', sqlFile('physical'));
  const serverVersionNumber = Number(row['version_number']);
  return {
    majorVersion: Math.floor(serverVersionNumber / 10_000),
    serverVersion: row['version'] ?? '',
    serverVersionNumber,
    database: row['database'] ?? '',
    superuser: row['superuser'] ?? '',
    service,
    isStandby: row['in_recovery'] === 'true',
    walLevel: row['wal_level'] ?? '',
    maxWalSenders: Number(row['max_wal_senders']),
    maxReplicationSlots: Number(row['max_replication_slots']),
    mayReplicate: row['may_replicate'] === 'true',
    pages: row['data_checksums'] === 'on' ? pageFormat(row['page_bytes'], row['pages_per_segment']) : undefined,
    directoryMode: row['directory_mode'] === '0750' ? 0o750 : 0o700,
    clientAddress: row['client_address'] ?? undefined,
    settings: JSON.parse(row['settings'] ?? '{}') as Record<string, string>,
  };
}

function refuseUnsuitable(location: Location, facts: ClusterFacts): void {
  if (facts.service !== undefined) throw managedServiceRefusal(location, facts.service);
  const where = labelOf(location);
  const refuse = (
    message: string,
    hint: string,
    code: 'source-unsupported' | 'source-refused' = 'source-unsupported',
  ) => {
    throw new HoldfastError(code, message, { hint, context: { database: where, version: facts.serverVersion } });
  };
  if (facts.majorVersion < OLDEST_MAJOR) {
    refuse(
      `a physical backup needs PostgreSQL ${OLDEST_MAJOR} or newer, and ${where} is ${facts.serverVersion}`,
      'Say `method: logical` for this source in the plan.',
    );
  }
  if (facts.walLevel === 'minimal' || facts.maxWalSenders === 0) {
    refuse(
      `the server of ${where} writes too little into its log for a physical backup`,
      'Put the lines `wal_level = replica` and `max_wal_senders = 10` into its postgresql.conf, and restart it.',
    );
  }
  if (facts.maxReplicationSlots === 0) {
    refuse(
      `the server of ${where} may have no replication slot, which keeps its log while it is backed up`,
      'Put the line `max_replication_slots = 10` into its postgresql.conf, and restart it.',
    );
  }
  if (!facts.mayReplicate) refuse(...withoutPermission(location), 'source-refused');
}

/** The message and the hint for a role that may not replicate. */
export function withoutPermission(location: Location): [string, string] {
  return [
    `the role ${location.user} may not take a physical backup of ${labelOf(location)}`,
    `Run as a superuser: ${grantReplication(location)}`,
  ];
}

/** The statement that lets a role replicate. */
export function grantReplication({ user }: Location): string {
  return `ALTER ROLE ${quoteIdentifier(user)} REPLICATION;`;
}

function pageFormat(pageBytes: string | null | undefined, pagesPerSegment: string | null | undefined): PageFormat {
  return { pageBytes: Number(pageBytes), pagesPerSegment: Number(pagesPerSegment) };
}
