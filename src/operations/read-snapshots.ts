import { findSnapshot, type IndexedRepository, loadIndex, Reader, type StoredSnapshot } from '../repository/index.ts';
import { Reading } from './reading.ts';
import { locate } from './snapshots/snapshots.ts';
import { readableSnapshots, sourceOf } from './snapshots-of.ts';
import type { Workspace } from './workspace.ts';

interface ReadRepository {
  reading: Reading;
  indexed: IndexedRepository;
  snapshots: StoredSnapshot[];
}

/**
 * Work that only looks into snapshots, under a shared lock of each repository that one is in, or without where that cannot
 * be written to.
 * @param ids may be shortened; `latest` is the newest of all
 * @param name of the repository that they are in; any of the plan's when left out
 * @param path from which on they are shown: that is recorded. All of them, when left out
 * @param work is given a reader of each, in the same order
 * @returns what came of the work, and what a person should know of how it was read
 * @throws unknown-snapshot, repository-locked, repository-damaged
 */
export async function readSnapshots<T>(
  workspace: Workspace,
  { ids, name, path }: { ids: readonly string[]; name?: string | undefined; path?: string },
  work: (readers: Reader[]) => Promise<T>,
): Promise<{ result: T; notes: string[] }> {
  const repositories = new Map<string, ReadRepository>();
  const readers: Reader[] = [];
  let shown = (work: () => Promise<T>): Promise<T> => work();
  try {
    for (const id of ids) {
      const { repository, snapshot } = await locate(workspace, id, name);
      const read = repositories.get(repository) ?? (await beginReading(workspace, repository));
      repositories.set(repository, read);
      // One that was removed before the lock stood may have lost what it needs.
      readers.push(new Reader(read.indexed, findSnapshot(read.snapshots, snapshot.id)));
      const source = sourceOf(snapshot);
      const about = { snapshot: snapshot.id, ...(source && { source }), ...(path !== undefined && { path }) };
      const before = shown;
      shown = (each) => read.reading.showing(about, () => before(each));
    }
    const result = await shown(() => work(readers));
    return { result, notes: [...repositories.values()].flatMap(({ reading }) => reading.notes) };
  } finally {
    await Promise.all(readers.map((reader) => reader.close()));
    for (const { reading } of repositories.values()) await reading.end();
  }
}

async function beginReading(workspace: Workspace, name: string): Promise<ReadRepository> {
  const opened = await workspace.openToRead(name);
  const reading = await Reading.begin(opened, workspace.environment.clock);
  try {
    const { snapshots } = await readableSnapshots(opened.repository);
    return { reading, indexed: await loadIndex(opened.repository), snapshots };
  } catch (error) {
    await reading.end();
    throw error;
  }
}
