import type { Finding, Mend } from '../../index.ts';
import { quoteIdentifier } from '../identifiers.ts';
import { type Location, labelOf } from '../location.ts';
import { managedServiceRefusal } from '../managed-service.ts';
import { type ClusterFacts, grantReplication, OLDEST_MAJOR, readCluster } from '../physical/cluster.ts';
import type { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';
import { examineServerPrograms } from './programs.ts';
import { examineReplicationConnection } from './replication-connection.ts';
import { lossWithoutLog } from './service-loss.ts';

/** The newest version that this is tested with. */
const NEWEST_MAJOR = 18;
/** What a server has by default, of senders as of slots. */
const USUAL_COUNT = 10;
/** So many more are proposed where all are taken. */
const SPARE_COUNT = 5;
/** What a follower makes a server give up at, unless it is told otherwise. */
const PROPOSED_SLOT_LIMIT = '64GB';

interface PhysicalNeeds {
  /** The permanent slot of a source whose log is followed. */
  slot: string | undefined;
  longestGapMs: number | undefined;
  signal: AbortSignal;
}

/** What a server has given away of its replication, and what else the role may. */
interface ReplicationState {
  sendersTaken: number;
  slotsTaken: number;
  slotsIdle: number;
  slotExists: boolean;
  isFollowed: boolean;
  hasSlotLimit: boolean;
  /** Undefined where the role may not know it. */
  dataDirectory: string | undefined;
  mayReread: boolean;
}

/** What a physical backup of a cluster needs, and following its log. @param session an ordinary connection */
export async function examinePhysical(session: Session, needs: PhysicalNeeds): Promise<Finding[]> {
  const { location } = session;
  const facts = await readCluster(session);
  if (facts.service !== undefined) return [refusedByService(location, facts.service, needs)];
  if (facts.isStandby) return [judgeVersion(facts), standby(location)];
  const state = await readReplicationState(session, needs.slot);
  return [
    judgeVersion(facts),
    judgeRole(location, facts),
    judgeWalLevel(facts),
    judgeSenders(facts, state, needs),
    judgeSlots(facts, state, needs),
    await examineReplicationConnection(location, facts, needs.signal),
    ...(needs.slot === undefined ? [] : [judgeSlotLimit(state)]),
    judgeChecksums(location, facts, state),
    await examineServerPrograms(facts.majorVersion, false),
  ];
}

async function readReplicationState(session: Session, slot: string | undefined): Promise<ReplicationState> {
  const row = await session.one('look at the replication', sqlFile('replication'), [slot ?? '']);
  return {
    sendersTaken: Number(row['senders_taken']),
    slotsTaken: Number(row['slots_taken']),
    slotsIdle: Number(row['slots_idle']),
    slotExists: row['slot_exists'] === 'true',
    isFollowed: row['is_followed'] === 'true',
    hasSlotLimit: row['slot_limit'] !== '-1',
    dataDirectory: row['data_directory'] ?? undefined,
    mayReread: row['may_reread'] === 'true',
  };
}

function refusedByService(location: Location, service: string, { slot, longestGapMs }: PhysicalNeeds): Finding {
  return {
    level: 'missing',
    about: 'managed service',
    message: `${managedServiceRefusal(location, service).message}; ${lossWithoutLog(longestGapMs)}`,
    mend: {
      place: 'plan',
      lines: ['method: logical'],
      ...(slot !== undefined && { note: 'Take `wal: stream` out of the source as well.' }),
    },
  };
}

function judgeVersion({ majorVersion, serverVersion }: ClusterFacts): Finding {
  const about = 'version';
  const message = `the server is PostgreSQL ${serverVersion}`;
  if (majorVersion < OLDEST_MAJOR) {
    const needed = `${message}, and a physical backup needs ${OLDEST_MAJOR} or newer`;
    return { level: 'missing', about, message: needed, mend: { place: 'plan', lines: ['method: logical'] } };
  }
  if (majorVersion <= NEWEST_MAJOR) return { level: 'ok', about, message };
  return {
    level: 'warning',
    about,
    message: `${message}, and this version of Holdfast is tested up to ${NEWEST_MAJOR}`,
    mend: { place: 'person', lines: ['See whether there is a newer Holdfast, and prove the backups.'] },
  };
}

function standby(location: Location): Finding {
  const where =
    'Let `url:` in the plan name the primary: SELECT sender_host, sender_port FROM pg_stat_wal_receiver; on the standby tells where it is.';
  return {
    level: 'missing',
    about: 'primary',
    message: `the server of ${labelOf(location)} is a standby, and a physical backup is taken of a primary`,
    mend: { place: 'person', lines: [where] },
  };
}

function judgeRole(location: Location, { mayReplicate }: ClusterFacts): Finding {
  const about = 'role attributes';
  const { user } = location;
  if (mayReplicate) return { level: 'ok', about, message: `the role ${user} may replicate` };
  return {
    level: 'missing',
    about,
    message: `the role ${user} has no REPLICATION attribute, and may not take a physical backup`,
    mend: { place: 'sql', lines: [grantReplication(location)] },
  };
}

function judgeWalLevel({ walLevel }: ClusterFacts): Finding {
  const about = 'wal_level';
  if (walLevel !== 'minimal') return { level: 'ok', about, message: `wal_level is ${walLevel}` };
  return {
    level: 'missing',
    about,
    message: 'wal_level is minimal, and a physical backup needs the log of replica at least',
    mend: afterRestart('wal_level = replica'),
  };
}

/** A backup takes a sender while it runs, and whoever follows the log another one. */
function judgeSenders(
  { maxWalSenders }: ClusterFacts,
  { sendersTaken, isFollowed }: ReplicationState,
  { slot }: PhysicalNeeds,
): Finding {
  const needed = slot === undefined || isFollowed ? 1 : 2;
  return judgeCount({
    about: 'max_wal_senders',
    limit: maxWalSenders,
    taken: sendersTaken,
    needed,
    purpose: needed === 1 ? 'a backup' : 'a backup and the follower of its log',
  });
}

/** A backup takes a slot while it runs; the first one of a source with a log makes the one that stays. */
function judgeSlots(
  { maxReplicationSlots }: ClusterFacts,
  { slotsTaken, slotsIdle, slotExists }: ReplicationState,
  { slot }: PhysicalNeeds,
): Finding {
  const needed = slot === undefined || slotExists ? 1 : 2;
  const idle = slotsIdle - (slotExists ? 1 : 0);
  return judgeCount({
    about: 'max_replication_slots',
    limit: maxReplicationSlots,
    taken: slotsTaken,
    needed,
    purpose: needed === 1 ? 'a backup' : 'a backup and the log from it on',
    ...(idle > 0 && {
      note: `Or drop one that nobody uses any more, of those that this lists: SELECT slot_name FROM pg_replication_slots WHERE NOT active;`,
    }),
  });
}

interface Count {
  /** The setting that limits it. */
  about: string;
  limit: number;
  taken: number;
  needed: number;
  purpose: string;
  note?: string;
}

function judgeCount({ about, limit, taken, needed, purpose, note }: Count): Finding {
  const free = `${Math.max(0, limit - taken)} of ${about} = ${limit} are free`;
  if (limit - taken >= needed) return { level: 'ok', about, message: `${free}, and ${purpose} needs ${needed}` };
  const mend = afterRestart(`${about} = ${limit === 0 ? USUAL_COUNT : limit + SPARE_COUNT}`);
  return {
    level: 'missing',
    about,
    message: `${free}, and ${purpose} needs ${needed}`,
    mend: note === undefined ? mend : { ...mend, note: `${mend.note} ${note}` },
  };
}

function judgeSlotLimit({ hasSlotLimit }: ReplicationState): Finding {
  const about = 'max_slot_wal_keep_size';
  if (hasSlotLimit) {
    const message = 'the server gives up the log that nobody follows before its disk is full: what it gave up is a gap';
    return { level: 'ok', about, message };
  }
  return {
    level: 'warning',
    about,
    message:
      'there is no limit to the log that the server keeps for its slots: while nobody follows it, its disk fills up until it stops',
    mend: {
      place: 'postgresql.conf',
      lines: [`max_slot_wal_keep_size = ${PROPOSED_SLOT_LIMIT}`],
      note: 'Take as much as its disk has to spare, then run: SELECT pg_reload_conf();',
    },
  };
}

function judgeChecksums(
  { user }: Location,
  { pages }: ClusterFacts,
  { dataDirectory, mayReread }: ReplicationState,
): Finding {
  const about = 'data checksums';
  if (pages === undefined) {
    const directory = dataDirectory === undefined ? '"$PGDATA"' : shellWord(dataDirectory);
    return {
      level: 'warning',
      about,
      message: 'the cluster has no data checksums, so that a page that the disk spoilt is backed up without a word',
      mend: {
        place: 'shell',
        lines: [`pg_checksums --enable --pgdata ${directory}`],
        note: 'As the user of the server, which has to be stopped meanwhile.',
      },
    };
  }
  if (mayReread) return { level: 'ok', about, message: 'every page is verified by its checksum' };
  const name = 'pg_read_binary_file(text, bigint, bigint, boolean)';
  return {
    level: 'warning',
    about,
    message: `the role ${user} may not read a page once more: one that is being written while it is read may count as broken`,
    mend: { place: 'sql', lines: [`GRANT EXECUTE ON FUNCTION ${name} TO ${quoteIdentifier(user)};`] },
  };
}

function afterRestart(line: string): Mend {
  return { place: 'postgresql.conf', lines: [line], note: 'Restart the server afterwards.' };
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
