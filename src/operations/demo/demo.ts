import { join } from 'node:path';
import { HoldfastError } from '../../foundation/errors.ts';
import { loadPlan } from '../../plan/index.ts';
import { backup } from '../backup/backup.ts';
import { initRepositories } from '../init/init.ts';
import { type RestoreResult, restore } from '../restore/restore.ts';
import { type Proof, verify } from '../verify/verify.ts';
import { type DemoServer, type Environment, Workspace } from '../workspace.ts';
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
  /** RPO: from the recovery point to the disaster. RTO: from the disaster until everything was back and compared. */
  actual: { rpoMs: number; rtoMs: number };
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
const RECOVERED_DATABASE = 'shop_recovered';

/**
 * Plays the whole story on a database and a directory of its own: fills, backs up, proves, destroys, recovers, compares.
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
  const before = await chapter(
    'remember',
    'remembering every row and every file, by other means than the product',
    () => fingerprint(server.url(DATABASE), world.uploads),
  );
  await chapter('backup', 'making a repository and backing up', async () => {
    await initRepositories(workspace);
    await backUp(workspace);
  });
  const proofs = await chapter('prove', 'proving: restoring into a sandbox and validating', () => prove(workspace));
  const disasterMs = environment.clock.nowMs();
  const begunMs = environment.clock.monotonicMs();
  const lost = await chapter(
    'disaster',
    'DISASTER: a table is dropped, half of another overwritten, the uploads deleted',
    () => strike(server.url(DATABASE), world.uploads),
  );
  const restored = await chapter('recover', 'recovering to a new database and a new directory', () =>
    recover(workspace, server, world),
  );
  const comparison = await chapter('compare', 'comparing everything with what was there', async () =>
    compare(before, await fingerprint(server.url(RECOVERED_DATABASE), recoveredUploads(world))),
  );
  const rtoMs = environment.clock.monotonicMs() - begunMs;
  const path = environment.variables['PATH'] ?? '';
  const restic = await chapter('restic', 'looking at the repository with stock restic', () =>
    seeWithRestic(world, path, environment.signal),
  );
  const { tables, rows, files, bytes } = comparison;
  return {
    world,
    shop: { tables, rows, files, bytes },
    proofs,
    lost,
    restored,
    comparison,
    objectives: { rpoMs: RPO_OBJECTIVE_MS, rtoMs: RTO_OBJECTIVE_MS },
    actual: {
      rpoMs: disasterMs - Math.min(...[restored.database, restored.uploads].map(({ time }) => Date.parse(time))),
      rtoMs,
    },
    restic,
    verdict:
      differenceCount(comparison) === 0 && proofs.every(({ state }) => state === 'proven')
        ? 'recovered'
        : 'not recovered',
  };
}

async function backUp(workspace: Workspace): Promise<void> {
  for (const outcome of await backup(workspace, [])) {
    if (outcome.outcome === 'failed') throw outcome.error;
    if (outcome.outcome === 'partial')
      throw new HoldfastError('source-lost', `the backup of ${outcome.source} is partial`);
  }
}

async function prove(workspace: Workspace): Promise<Proof[]> {
  const proofs = await verify(workspace, { sources: [] });
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

async function recover(workspace: Workspace, server: DemoServer, world: DemoWorld): Promise<DemoReport['restored']> {
  const [database, uploads] = await Promise.all([
    restore(workspace, { source: 'shop-db', to: server.url(RECOVERED_DATABASE) }),
    restore(workspace, { source: 'uploads', to: join(world.directory, 'recovered') }),
  ]);
  return { database, uploads };
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
      database: compareFingerprints(before.database, after.database),
      uploads: compareFingerprints(before.directory, after.directory),
    },
  };
}

function differenceCount({ differences }: Comparison): number {
  return differences.database.length + differences.uploads.length;
}
