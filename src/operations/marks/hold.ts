import { snapshotTimeMs } from '../../format/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { EventBodies } from '../../ledger/index.ts';
import { lockRepository, type StoredSnapshot } from '../../repository/index.ts';
import { eachRepository, type RepositoryFailure, refuseFailures } from '../attempt-each.ts';
import { locate } from '../snapshots/snapshots.ts';
import { sourceOf } from '../snapshots-of.ts';
import type { OpenedRepository, Workspace } from '../workspace.ts';
import { type Mark, type Marks, marksOf, type Suspicion } from './marks.ts';

export interface HeldOrReleased {
  snapshot: string;
  tree: string;
  /** Where it is recorded: every repository and archive of the plan that can be written to, since a copy is held as well. */
  repositories: string[];
  /** Where it is not: there its copies are what they were, until the same is said again. */
  failures: RepositoryFailure[];
}

/**
 * Keeps a snapshot for as long as nobody releases it, whatever the retention says, and every copy of it in the plan's
 * repositories and archives. While a retention is at work there, it waits for nobody: it fails, and is to be said again.
 * @param id may be shortened
 * @throws unknown-snapshot; what keeps all repositories from being written to, where that is of one kind: repository-locked
 */
export async function hold(workspace: Workspace, id: string, why: string): Promise<HeldOrReleased> {
  refuseEmpty(why);
  const { repository, snapshot } = await locateAnywhere(workspace, id);
  const { tree } = snapshot;
  const names = [repository, ...others(workspace, repository)];
  const { repositories, failures } = await eachRepository(workspace, names, async (name) => {
    const opened = await workspace.open(name);
    await withoutRetention(workspace, opened, async () => {
      if (name === repository) await locate(workspace, snapshot.id, name);
      await opened.ledger.append('snapshot.held', { snapshot: snapshot.id, tree, why });
    });
    return name;
  });
  return { snapshot: snapshot.id, tree, repositories, failures };
}

/** Lets a snapshot that is held go by the retention again. @throws unknown-snapshot where none is held whose id begins so */
export async function unhold(workspace: Workspace, id: string, why?: string): Promise<HeldOrReleased> {
  const { held, failures: unread } = await marksIn(workspace);
  const [tree, { snapshot }] = markOf(held, id, { what: 'is held', unread });
  const names = workspace.plan.repositories.keys();
  const { repositories, failures } = await eachRepository(workspace, names, async (name) => {
    const { ledger } = await workspace.open(name);
    await ledger.append('snapshot.released', { snapshot, tree, ...(why !== undefined && { why }) });
    return name;
  });
  return { snapshot, tree, repositories, failures };
}

/**
 * Says of a snapshot that it is not to be trusted: neither it nor what was taken after it counts as clean from now on. It stays
 * where it is, and can be restored.
 * @param id may be shortened
 * @throws unknown-snapshot; bad-usage where it is of no source of the plan
 */
export async function suspect(
  workspace: Workspace,
  id: string,
  why: string,
): Promise<EventBodies['snapshot.suspected']> {
  refuseEmpty(why);
  const { snapshot } = await locateAnywhere(workspace, id);
  const source = sourceOf(snapshot);
  const planned = source === undefined ? undefined : workspace.plan.sources.get(source);
  if (planned === undefined) {
    throw new HoldfastError('bad-usage', `snapshot ${snapshot.id.slice(0, 8)} is of no source of the plan`, {
      hint: 'What is chosen as a clean recovery point is of a source: see `holdfast snapshots`.',
    });
  }
  const time = new Date(snapshotTimeMs(snapshot)).toISOString();
  const { ledger } = await workspace.open(planned.repository);
  const body = { source: planned.name, snapshot: snapshot.id, tree: snapshot.tree, time, why };
  await ledger.append('snapshot.suspected', body);
  return body;
}

/** Says that a snapshot which was suspected is as it should be. @throws unknown-snapshot where none is suspected whose id begins so */
export async function clearSuspicion(workspace: Workspace, id: string, why: string): Promise<Suspicion> {
  refuseEmpty(why);
  const { suspected, failures } = await marksIn(workspace);
  const [tree, suspicion] = markOf(suspected, id, { what: 'is suspected', unread: failures });
  const { source, snapshot } = suspicion;
  const repository = workspace.plan.sources.get(source)?.repository;
  for (const name of repository === undefined ? workspace.homeNames : [repository]) {
    const { ledger } = await workspace.open(name);
    await ledger.append('snapshot.cleared', { source, snapshot, tree, why });
  }
  return suspicion;
}

/** What is known of snapshots in all repositories of the plan that can be read, archives among them. */
async function marksIn(workspace: Workspace): Promise<Marks & { failures: RepositoryFailure[] }> {
  const held = new Map<string, Mark>();
  const suspected = new Map<string, Suspicion>();
  const names = workspace.plan.repositories.keys();
  const { repositories, failures } = await eachRepository(workspace, names, async (name) =>
    marksOf(await (await workspace.open(name)).ledger.read()),
  );
  for (const marks of repositories) {
    for (const [tree, mark] of marks.held) held.set(tree, mark);
    for (const [tree, mark] of marks.suspected) suspected.set(tree, mark);
  }
  return { held, suspected, failures };
}

async function locateAnywhere(
  workspace: Workspace,
  id: string,
): Promise<{ repository: string; snapshot: StoredSnapshot }> {
  let unknown: unknown;
  let unread: unknown;
  for (const name of [undefined, ...archivesOf(workspace)]) {
    try {
      return await locate(workspace, id, name);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      if (error.code === 'unknown-snapshot') unknown ??= error;
      else unread ??= error;
    }
  }
  throw unread ?? unknown;
}

function archivesOf({ plan }: Workspace): string[] {
  return [...plan.repositories.values()].flatMap(({ name, archive }) => (archive === undefined ? [] : [name]));
}

function others({ plan }: Workspace, repository: string): string[] {
  return [...plan.repositories.keys()].filter((name) => name !== repository);
}

/** A retention decides and removes under this lock: what is held once it was taken is known to the next one. */
async function withoutRetention(
  { environment }: Workspace,
  { repository }: OpenedRepository,
  work: () => Promise<void>,
): Promise<void> {
  const lock = await lockRepository(repository, { exclusive: true, besideOurs: [], clock: environment.clock });
  try {
    await work();
  } finally {
    await lock.release();
  }
}

function markOf<M extends Mark>(
  marks: ReadonlyMap<string, M>,
  id: string,
  { what, unread }: { what: string; unread: readonly RepositoryFailure[] },
): [string, M] {
  const found = [...marks].filter(([, { snapshot }]) => snapshot.startsWith(id));
  if (found.length === 1) return found[0]!;
  // It may be one that only a repository knows which cannot be read.
  if (found.length === 0) refuseFailures(unread);
  const known = [...marks.values()].map(({ snapshot }) => snapshot.slice(0, 8)).join(', ');
  throw new HoldfastError(
    'unknown-snapshot',
    found.length === 0 ? `no snapshot ${id} ${what}` : `${id} may be one of ${found.length} snapshots`,
    { hint: known === '' ? `There is none that ${what}.` : `Those that there are: ${known}.` },
  );
}

function refuseEmpty(why: string): void {
  if (why.trim() !== '') return;
  throw new HoldfastError('bad-usage', 'the reason is empty', {
    hint: 'Say with `--why` what others will need to know.',
  });
}
