import { shellWord } from '../../../foundation/shell-word.ts';
import type { Finding } from '../../index.ts';
import { quoteIdentifier } from '../identifiers.ts';
import type { Location } from '../location.ts';
import { managedServiceRefusal } from '../managed-service.ts';
import { type ClusterFacts, grantReplication, OLDEST_MAJOR, readCluster } from '../physical/cluster.ts';
import type { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';
import { examineServerPrograms } from './programs.ts';
import { examineReplicationConnection } from './replication-connection.ts';
import { changeOf, judgeSetting, readServerSettings, type ServerSetting } from './server-settings.ts';
import { lossWithoutLog } from './service-loss.ts';
import { examineStandby, onPrimary } from './standby.ts';

/** The newest version that this is tested with. */
const NEWEST_MAJOR = 18;
/** What a server has by default, of senders as of slots. */
const USUAL_COUNT = 10;
/** So many more are proposed where all are taken. */
const SPARE_COUNT = 5;
/** What a follower makes a server give up at, unless it is told otherwise. */
const PROPOSED_SLOT_LIMIT = '64GB';
const NO_LIMIT = '-1';

interface PhysicalNeeds {
  /** The permanent slot of a source whose log is followed. */
  slot: string | undefined;
  longestGapMs: number | undefined;
  signal: AbortSignal;
}

const SETTINGS = ['wal_level', 'max_wal_senders', 'max_replication_slots', 'max_slot_wal_keep_size'] as const;

/** What a server has given away of its replication, and what else the role may. */
interface ReplicationState {
  settings: Record<(typeof SETTINGS)[number], ServerSetting>;
  sendersTaken: number;
  slotsTaken: number;
  slotsIdle: number;
  slotExists: boolean;
  isFollowed: boolean;
  /** Undefined where the role may not know it. */
  dataDirectory: string | undefined;
  mayReread: boolean;
}

/** What a physical backup of a cluster needs, and following its log. @param session an ordinary connection */
export async function examinePhysical(session: Session, needs: PhysicalNeeds): Promise<Finding[]> {
  const { location } = session;
  const facts = await readCluster(session);
  if (facts.service !== undefined) return [refusedByService(location, facts.service, needs)];
  const state = await readReplicationState(session, needs.slot);
  const findings = [
    judgeVersion(facts),
    ...(facts.isStandby ? await examineStandby(session) : []),
    judgeRole(location, facts),
    judgeWalLevel(state),
    judgeSenders(state, needs),
    judgeSlots(state, needs),
    await examineReplicationConnection(location, facts, needs.signal),
    ...(needs.slot === undefined ? [] : [judgeSlotLimit(state)]),
    judgeChecksums(location, facts, state),
    await examineServerPrograms(facts.majorVersion, false),
  ];
  return facts.isStandby ? findings.map(onPrimary) : findings;
}

async function readReplicationState(session: Session, slot: string | undefined): Promise<ReplicationState> {
  const row = await session.one('look at the replication', sqlFile('replication'), [slot ?? '']);
  return {
    settings: await readServerSettings(session, SETTINGS),
    sendersTaken: Number(row['senders_taken']),
    slotsTaken: Number(row['slots_taken']),
    slotsIdle: Number(row['slots_idle']),
    slotExists: row['slot_exists'] === 'true',
    isFollowed: row['is_followed'] === 'true',
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

function judgeWalLevel({ settings: { wal_level: setting }, dataDirectory }: ReplicationState): Finding {
  const isEnough = (level: string): boolean => level !== 'minimal';
  const message = isEnough(setting.running)
    ? `wal_level is ${setting.running}`
    : 'wal_level is minimal, and a physical backup needs the log of replica at least';
  return judgeSetting({ setting, message, isEnough, proposed: 'replica', dataDirectory });
}

/** A backup takes a sender while it runs, and whoever follows the log another one. */
function judgeSenders(state: ReplicationState, { slot }: PhysicalNeeds): Finding {
  const needed = slot === undefined || state.isFollowed ? 1 : 2;
  return judgeCount(state, {
    about: 'max_wal_senders',
    taken: state.sendersTaken,
    needed,
    purpose: needed === 1 ? 'a backup needs' : 'a backup and the follower of its log need',
  });
}

/** A backup takes a slot while it runs; the first one of a source with a log makes the one that stays. */
function judgeSlots(state: ReplicationState, { slot }: PhysicalNeeds): Finding {
  const { slotsTaken, slotsIdle, slotExists } = state;
  const needed = slot === undefined || slotExists ? 1 : 2;
  const idle = slotsIdle - (slotExists ? 1 : 0);
  return judgeCount(state, {
    about: 'max_replication_slots',
    taken: slotsTaken,
    needed,
    purpose: needed === 1 ? 'a backup needs' : 'a backup and the log from it on need',
    ...(idle > 0 && {
      note: `Or drop one that nobody uses any more, of those that this lists: SELECT slot_name FROM pg_replication_slots WHERE NOT active;`,
    }),
  });
}

interface Count {
  /** The setting that limits it. */
  about: 'max_wal_senders' | 'max_replication_slots';
  taken: number;
  needed: number;
  purpose: string;
  note?: string;
}

function judgeCount(
  { settings, dataDirectory }: ReplicationState,
  { about, taken, needed, purpose, note }: Count,
): Finding {
  const limit = Number(settings[about].running);
  const free = `${Math.max(0, limit - taken)} of ${about} = ${limit} are free`;
  const finding = judgeSetting({
    setting: settings[about],
    message: `${free}, and ${purpose} ${needed}`,
    isEnough: (value) => Number(value) - taken >= needed,
    proposed: String(limit === 0 ? USUAL_COUNT : limit + SPARE_COUNT),
    dataDirectory,
  });
  const { mend } = finding;
  if (finding.level !== 'missing' || mend === undefined || note === undefined) return finding;
  return { ...finding, mend: { ...mend, note: mend.note === undefined ? note : `${mend.note} ${note}` } };
}

function judgeSlotLimit({ settings: { max_slot_wal_keep_size: setting } }: ReplicationState): Finding {
  const about = 'max_slot_wal_keep_size';
  if (setting.running !== NO_LIMIT) {
    const message = 'the server gives up the log that nobody follows before its disk is full: what it gave up is a gap';
    return { level: 'ok', about, message };
  }
  return {
    level: 'warning',
    about,
    message:
      'there is no limit to the log that the server keeps for its slots: while nobody follows it, its disk fills up until it stops',
    mend:
      (setting.inFiles ?? NO_LIMIT) === NO_LIMIT
        ? changeOf(
            setting,
            PROPOSED_SLOT_LIMIT,
            'Take as much as its disk has to spare, then run: SELECT pg_reload_conf();',
          )
        : { place: 'sql', lines: ['SELECT pg_reload_conf();'], note: `Its files have a limit: ${setting.inFiles}.` },
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
