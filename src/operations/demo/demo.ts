import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../foundation/errors.ts';
import { settled } from '../../foundation/promises.ts';
import { loadPlan } from '../../plan/index.ts';
import { backup } from '../backup/backup.ts';
import { initRepositories } from '../init/init.ts';
import { type RestoreResult, restore } from '../restore/restore.ts';
import { type Proof, verify } from '../verify/verify.ts';
import { type DemoServer, type Environment, Workspace } from '../workspace.ts';
import { Following } from './following.ts';
import { findLeftovers } from './leftovers.ts';
import { type Lost, strike } from './shop/disaster.ts';
import { fillShop } from './shop/fill.ts';
import {
  compareFingerprints,
  type DatabaseFingerprint,
  type Difference,
  type DirectoryFingerprint,
  fingerprintDatabase,
  fingerprintDirectory,
} from './shop/fingerprint.ts';
import { findOrders, takeOrders } from './shop/orders.ts';
import { writeUploads } from './shop/uploads.ts';
import { type SeenByRestic, seeWithRestic } from './stock-restic.ts';
import { type DemoWorld, makeWorld } from './world.ts';

/** What the demo did and found. All times in milliseconds. */
export interface DemoReport {
  world: DemoWorld;
  server: string;
  /** How long each chapter took, in their order. */
  elapsedMs: Record<string, number>;
  totalMs: number;
  shop: { tables: number; rows: number; files: number; bytes: number };
  proofs: Proof[];
  lost: Lost;
  restored: { database: RestoreResult; uploads: RestoreResult };
  comparison: Comparison;
  objectives: { rpoMs: number; rtoMs: number };
  /** RPO: from the recovery point to the disaster, of the database and of the oldest. RTO: from the disaster until everything was back and compared. */
  actual: { databaseRpoMs: number; rpoMs: number; rtoMs: number };
  /** Orders that were acknowledged before the recovery point, and how many of them are not there; the same of those after it, and how many are. */
  orders: { before: number; lost: number; after: number; tooMany: number };
  restic: SeenByRestic | undefined;
  /** Processes and sockets of the demo that are still there. */
  leftovers: { processes: number[]; sockets: string[] };
  verdict: 'recovered' | 'not recovered';
}

/** What stood where before the disaster, held against what was recovered. Empty differences mean: equal. */
export interface Comparison {
  tables: number;
  rows: number;
  files: number;
  bytes: number;
  differences: { database: Difference[]; uploads: Difference[] };
}

const RPO_OBJECTIVE_MS = 3_600_000;
const RTO_OBJECTIVE_MS = 4 * 3_600_000;
const DATABASE = 'shop';
const DATABASE_SOURCE = 'shop-db';
const ORDERS_MS = 3000;
/** Somebody orders until the last moment. */
const ORDERS_AFTER_MS = 1000;
/**
 * A server writes its log 32 values ahead for a sequence, and goes on from there after a recovery: twice as far, and one more,
 * where somebody who had not committed by then took the next value.
 */
const SEQUENCE_AHEAD = 65;

/**
 * Plays the whole story on a database and a directory of its own: fills, backs up, proves, follows the log while orders come
 * in, destroys, recovers to the moment before, compares.
 * @param tell is called as each chapter begins
 * @param parent where its directory is made
 */
export async function playDemo(
  environment: Environment,
  tell: (chapter: string) => void,
  parent?: string,
): Promise<DemoReport> {
  const { clock } = environment;
  const startedMs = clock.monotonicMs();
  const elapsedMs: Record<string, number> = {};
  const chapter = async <T>(name: string, title: string, work: () => Promise<T>): Promise<T> => {
    tell(title);
    const begunMs = clock.monotonicMs();
    const result = await work();
    elapsedMs[name] = clock.monotonicMs() - begunMs;
    return result;
  };
  const server = await chapter('start', 'starting a PostgreSQL server of its own, on a private socket', () =>
    environment.adapters.startDemoServer(environment),
  );
  try {
    const report = await play(environment, server, chapter, parent);
    await chapter('stop', 'stopping the server', () => server.stop());
    const leftovers = await findLeftovers(server);
    return { ...report, server: server.version, elapsedMs, totalMs: clock.monotonicMs() - startedMs, leftovers };
  } finally {
    await server.stop();
  }
}

type Chapter = <T>(name: string, title: string, work: () => Promise<T>) => Promise<T>;

async function play(
  environment: Environment,
  server: DemoServer,
  chapter: Chapter,
  parent: string | undefined,
): Promise<Omit<DemoReport, 'server' | 'elapsedMs' | 'totalMs' | 'leftovers'>> {
  const world = await makeWorld(server.url(DATABASE), parent);
  const progress = environment.progress('shop');
  await chapter('fill', 'filling a shop: customers, orders, payments, and a directory of uploads', async () => {
    await fillShop(server.url('postgres'), DATABASE, progress);
    await writeUploads(world.uploads);
    progress.finish();
  });
  const workspace = new Workspace(await loadPlan({ path: world.plan, cwd: world.directory, env: {} }), environment);
  await chapter('backup', 'making a repository and backing up', async () => {
    await initRepositories(workspace);
    await backUp(workspace);
  });
  const proofs = await chapter('prove', 'proving: restoring into a sandbox and validating', () => prove(workspace));
  const following = new Following(workspace, DATABASE_SOURCE);
  try {
    const story = await surviveDisaster(workspace, server, { world, following, chapter });
    await following.stop();
    const restic = await chapter('restic', 'looking at the repository with stock restic', () =>
      seeWithRestic(world, environment.variables['PATH'] ?? '', environment.signal),
    );
    const { comparison, orders } = story;
    const { tables, rows, files, bytes } = comparison;
    const isAllThere = differenceCount(comparison) === 0 && orders.lost === 0 && orders.tooMany === 0;
    return {
      ...{ world, shop: { tables, rows, files, bytes }, proofs, ...story },
      objectives: { rpoMs: RPO_OBJECTIVE_MS, rtoMs: RTO_OBJECTIVE_MS },
      restic,
      verdict:
        isAllThere && orders.before > 0 && proofs.every(({ state }) => state === 'proven')
          ? 'recovered'
          : 'not recovered',
    };
  } finally {
    // What it has to say was said above, unless something else went wrong before.
    await settled(following.stop());
    await rm(world.recovered, { recursive: true, force: true });
  }
}

/** Orders come in, the disaster strikes, and everything is recovered to the moment before and compared. */
async function surviveDisaster(
  workspace: Workspace,
  server: DemoServer,
  { world, following, chapter }: { world: DemoWorld; following: Following; chapter: Chapter },
): Promise<Pick<DemoReport, 'lost' | 'restored' | 'orders' | 'comparison' | 'actual'>> {
  const { environment } = workspace;
  const { clock, signal } = environment;
  const url = server.url(DATABASE);
  const taken = await chapter('orders', "orders stream in, and the database's log into the repository", () =>
    takeOrders(url, during(ORDERS_MS, signal)),
  );
  const before = await chapter(
    'remember',
    'remembering every row and every file, by other means than the product',
    () => fingerprint(url, world.uploads),
  );
  const pointMs = clock.nowMs();
  const takenAfter = await takeOrders(url, during(ORDERS_AFTER_MS, signal));
  const disasterMs = clock.nowMs();
  const begunMs = clock.monotonicMs();
  const lost = await chapter(
    'disaster',
    `DISASTER at ${clockTime(disasterMs)}: a table is dropped, half of another overwritten, the uploads deleted`,
    () => strike(url, world.uploads),
  );
  const restored = await chapter(
    'recover',
    `recovering the database as it was at ${clockTime(pointMs)}, and the uploads`,
    async () => {
      await following.covers(pointMs);
      return recover(workspace, world, pointMs);
    },
  );
  const compared = await chapter('compare', 'comparing everything with what was there', () =>
    servedAt(environment, server, recoveredDatabase(world), async (recoveredUrl) => ({
      comparison: compare(before, await fingerprint(recoveredUrl, recoveredUploads(world))),
      orders: await compareOrders(recoveredUrl, taken, takenAfter),
    })),
  );
  const actual = {
    databaseRpoMs: disasterMs - pointMs,
    rpoMs: disasterMs - Math.min(pointMs, Date.parse(restored.uploads.time)),
    rtoMs: clock.monotonicMs() - begunMs,
  };
  return { lost, restored, ...compared, actual };
}

/** A signal that is aborted after a while. */
function during(milliseconds: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]);
}

/** As people tell the time: `14:03:06`. */
function clockTime(timeMs: number): string {
  return new Date(timeMs).toTimeString().slice(0, 8);
}

/** Runs the demo's own kind of server on a data directory that was restored, and ends it. */
async function servedAt<T>(
  { adapters, clock, signal, progress }: Environment,
  { majorVersion, superuser }: DemoServer,
  dataDirectory: string,
  work: (databaseUrl: string) => Promise<T>,
): Promise<T> {
  const sandbox = await adapters.createSandbox({ clock, signal });
  const telling = progress('shop');
  const place = await sandbox.open(
    { kind: 'postgres-data', majorVersion, superuser, database: DATABASE, settings: {}, dataDirectory },
    telling,
  );
  try {
    const { target } = await place.serve!();
    telling.finish();
    return await work(target.url);
  } finally {
    await place.close();
  }
}

async function compareOrders(
  databaseUrl: string,
  before: readonly string[],
  after: readonly string[],
): Promise<DemoReport['orders']> {
  const found = await findOrders(databaseUrl, before);
  const tooMany = await findOrders(databaseUrl, after);
  return { before: before.length, lost: before.length - found.length, after: after.length, tooMany: tooMany.length };
}

async function backUp(workspace: Workspace): Promise<void> {
  for (const outcome of await backup(workspace, [])) {
    if (outcome.outcome === 'failed') throw outcome.error;
    if (outcome.outcome === 'partial')
      throw new HoldfastError('source-lost', `the backup of ${outcome.source} is partial`);
  }
}

async function prove(workspace: Workspace): Promise<Proof[]> {
  const { proofs, failures } = await verify(workspace, { sources: [] });
  if (failures[0] !== undefined) throw failures[0].error;
  const unproven = proofs.find(({ state }) => state !== 'proven');
  if (unproven === undefined) return proofs;
  const reasons = [
    unproven.reason,
    ...unproven.checks.filter(({ result }) => result !== 'passed').map(({ name, detail }) => `${name}: ${detail}`),
  ];
  throw new HoldfastError(
    'not-provable',
    `${unproven.source} could not be proven: ${reasons.filter(Boolean).join('; ')}`,
  );
}

async function recover(workspace: Workspace, world: DemoWorld, pointMs: number): Promise<DemoReport['restored']> {
  const at = new Date(pointMs).toISOString();
  const [database, uploads] = await Promise.all([
    restore(workspace, { source: DATABASE_SOURCE, to: recoveredDatabase(world), at }),
    restore(workspace, { source: 'uploads', to: join(world.directory, 'recovered') }),
  ]);
  return { database, uploads };
}

function recoveredDatabase({ recovered }: DemoWorld): string {
  return join(recovered, 'database');
}

/** A restore keeps the real paths below its target. */
function recoveredUploads(world: DemoWorld): string {
  return join(world.directory, 'recovered', world.uploads);
}

interface Fingerprint {
  database: DatabaseFingerprint;
  directory: DirectoryFingerprint;
}

async function fingerprint(databaseUrl: string, uploads: string): Promise<Fingerprint> {
  return { database: await fingerprintDatabase(databaseUrl), directory: await fingerprintDirectory(uploads) };
}

function compare(before: Fingerprint, after: Fingerprint): Comparison {
  const { tables, rows } = before.database;
  const { files, bytes } = before.directory;
  return {
    ...{ tables, rows, files, bytes },
    differences: {
      database: compareFingerprints(before.database, after.database).filter((each) => !isAhead(each)),
      uploads: compareFingerprints(before.directory, after.directory),
    },
  };
}

/**
 * Whether a sequence only left some numbers out, as after every recovery.
 * Source: PostgreSQL's src/backend/commands/sequence.c, SEQ_LOG_VALS.
 */
function isAhead({ name, before = '', after = '' }: Difference): boolean {
  if (!name.startsWith('sequence ')) return false;
  const last = (text: string): number => Number(/^last (\d+) /.exec(text)?.[1] ?? Number.NaN);
  const withoutLast = (text: string): string => text.replace(/^last \d+ /, '');
  const ahead = last(after) - last(before);
  return withoutLast(before) === withoutLast(after) && ahead > 0 && ahead <= SEQUENCE_AHEAD;
}

function differenceCount({ differences }: Comparison): number {
  return differences.database.length + differences.uploads.length;
}
