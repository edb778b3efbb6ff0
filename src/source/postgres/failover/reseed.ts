import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import { parseLsnText } from '../../../repository/index.ts';
import type { PostgresReseed, PostgresReseeded } from '../../failover.ts';
import { type Location, labelOf, parseLocation } from '../location.ts';
import { Session } from '../session.ts';
import { parseHistory } from '../wal/timeline-history.ts';
import { copyCluster, takePlace } from './copy-cluster.ts';
import { followsAlready, KeptSettings, type ReseedProgress, reseedProgress } from './kept-settings.ts';
import { untilAlone } from './left-programs.ts';
import { recoverAlone, rewind } from './rewind.ts';
import { readState } from './server-state.ts';
import { openStopped, readControl, type StoppedCluster, unsuitable } from './stopped-cluster.ts';

/** See `PostgresFailover.reseed`. What was under way is found by what lies beside the directory, and goes on. */
export async function reseed(options: PostgresReseed): Promise<PostgresReseeded> {
  const { directory, fromUrl, slot, signal } = options;
  const earlier = await reseedProgress(directory);
  if (earlier !== undefined) await untilAlone(directory, options);
  if (earlier?.asideDirectory !== undefined) await takePlace(directory, earlier.asideDirectory);
  const session = await Session.open(parseLocation(fromUrl), { side: 'source', signal });
  try {
    // A server that was killed leaves it.
    const leftByServer = existsSync(join(directory, 'postmaster.pid'));
    const cluster = await openStopped(directory);
    const fork = await prepareSource(session, cluster, slot);
    // Its server was not started since: of one that was, nobody knows how far behind it is.
    const isNew = earlier === undefined && !cluster.control.isShutDown && !leftByServer;
    if (isNew && (await followsAlready(directory, { from: session.location, slot })))
      return { how: 'found', lsn: fork.lsn, divergentBytes: 0n };
    const settings = await KeptSettings.open(cluster);
    const bringing = { ...options, cluster, settings, fork, from: session.location };
    const brought = earlier?.stage === 'brought' ? earlier : await bring(bringing, earlier);
    await settings.putBack({ from: session.location, slot });
    const { how = 'copied', lsn, divergentBytes, asideDirectory } = brought;
    const known = { how, lsn: BigInt(lsn), divergentBytes: BigInt(divergentBytes) };
    return asideDirectory === undefined ? known : { ...known, asideDirectory };
  } finally {
    await session.close();
  }
}

interface Bringing extends PostgresReseed {
  cluster: StoppedCluster;
  settings: KeptSettings;
  fork: Fork;
  from: Location;
}

/** Where the old primary's timeline was left for the new one's, and how far the new one is. */
interface Fork {
  lsn: bigint;
  currentLsn: bigint;
}

/** By what differs where that can be found, else all of it: what was interrupted in the middle is no beginning for the former. */
async function bring(bringing: Bringing, earlier: ReseedProgress | undefined): Promise<ReseedProgress> {
  const { cluster, settings, tell } = bringing;
  const begun = earlier ?? (await begin(bringing));
  await settings.record(begun);
  const why = earlier === undefined ? await whyNotRewound(bringing) : 'an earlier attempt was interrupted';
  if (why !== undefined) {
    tell(`${cluster.directory} is copied from the new primary, since it cannot be rewound: ${why}`);
    return copied(bringing, begun);
  }
  const rewound: ReseedProgress = { ...begun, stage: 'brought', how: 'rewound' };
  await settings.record(rewound);
  return rewound;
}

/** Has the old primary's log replayed to its end, and finds out what of it nobody took over. */
async function begin({ cluster, settings, fork, signal }: Bringing): Promise<ReseedProgress> {
  await settings.liftFence();
  // One that followed wrote nothing of its own, and does not recover alone.
  if (!cluster.control.isShutDown && !cluster.isStandby) await recoverAlone(cluster, signal);
  const { checkpointLsn } = await readControl(cluster.directory);
  const divergentBytes = checkpointLsn > fork.lsn ? checkpointLsn - fork.lsn : 0n;
  return { stage: 'begun', divergentBytes: divergentBytes.toString(), lsn: fork.lsn.toString() };
}

async function whyNotRewound({ cluster, from, signal }: Bringing): Promise<string | undefined> {
  if (!cluster.control.isShutDown && cluster.isStandby) return 'it was a standby that did not end in order';
  try {
    await rewind(cluster, from, signal);
    return undefined;
  } catch (error) {
    if (!isHoldfastError(error) || !error.code.startsWith('program-')) throw error;
    const said = String(error.context['said'] ?? '').split('\n');
    return said.find((line) => /error|fatal/i.test(line)) ?? error.message;
  }
}

async function copied(bringing: Bringing, begun: ReseedProgress): Promise<ReseedProgress> {
  const { cluster, settings, fork, from, slot, signal } = bringing;
  const asideDirectory = await copyCluster(cluster, from, { slot, fork: BigInt(begun.lsn), signal });
  const lsn = fork.currentLsn.toString();
  const done: ReseedProgress = { ...begun, stage: 'brought', how: 'copied', lsn, asideDirectory };
  await settings.record(done);
  await takePlace(cluster.directory, asideDirectory);
  return done;
}

/**
 * Sees to it that the new primary is one, and of the same cluster, and that it keeps its log for the standby.
 * @throws source-changed, target-unsuitable
 */
async function prepareSource(
  session: Session,
  { directory, majorVersion, control }: StoppedCluster,
  slot: string,
): Promise<Fork> {
  const state = await readState(session);
  const where = labelOf(session.location);
  if (state.isStandby) {
    throw new HoldfastError('source-changed', `${where} is a standby, and no primary that another one could follow`, {
      hint: 'Let `from:` name the primary as it is now.',
    });
  }
  if (state.system !== control.system || state.version !== majorVersion) {
    throw unsuitable(
      directory,
      `is of another cluster than ${where}`,
      'Let `from:` and `directory:` name servers of one cluster.',
    );
  }
  await ensurePhysicalSlot(session, slot);
  // Until its first checkpoint a server that was promoted says in its control file that it is on the old timeline.
  await session.query('have the new primary make a checkpoint', 'CHECKPOINT');
  return { lsn: await leftAt(session, state.timeline, control.timeline), currentLsn: state.lsn };
}

async function ensurePhysicalSlot(session: Session, slot: string): Promise<void> {
  await session.query(
    'make a slot that keeps the log for the standby',
    `SELECT pg_catalog.pg_create_physical_replication_slot($1::name, true)
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1::name)`,
    [slot],
  );
}

/** Where the timeline of before was left. @throws source-changed where the new one does not come from it */
async function leftAt(session: Session, timeline: number, before: number): Promise<bigint> {
  if (timeline === before) {
    const row = await session.one(
      'ask how far the log is',
      'SELECT pg_catalog.pg_current_wal_flush_lsn()::text AS lsn',
    );
    return parseLsnText(row['lsn']);
  }
  const name = `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`;
  const row = await session.one('ask how the timeline came about', 'SELECT pg_catalog.pg_read_file($1) AS text', [
    `pg_wal/${name}`,
  ]);
  const left = parseHistory(row['text'] ?? '').find((each) => each.timeline === before);
  if (left !== undefined) return left.lsn;
  throw new HoldfastError(
    'source-changed',
    `${labelOf(session.location)} is on timeline ${timeline}, which does not come from timeline ${before} of the old primary`,
    { hint: 'See which of the two has the data that counts before one of them is overwritten.' },
  );
}
