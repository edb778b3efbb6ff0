/** Backups of directories into repositories, as the operation does it, without a plan. */

import { formatTimeMs } from '../../src/format/index.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import {
  listSnapshots,
  loadIndex,
  lockRepository,
  Reader,
  type Repository,
  type SnapshotReader,
  WriteSession,
} from '../../src/repository/index.ts';
import { createFilesSource, type FilesSourceOptions } from '../../src/source/files/files-source.ts';
import type { Capture, CaptureContext, Check, RestoreContext, Restored, Source } from '../../src/source/index.ts';
import { snapshotOf, withReader, writeFile, writeSnapshot } from './repository.ts';

export function filesSource(paths: string[], options: Partial<FilesSourceOptions> = {}): Source {
  return createFilesSource({ name: 'files', paths, exclude: [], validate: [], version: '0.0.0', ...options });
}

/** What a capture is given; nothing in it is ever aborted. */
export function captureContext(previous: SnapshotReader | undefined): CaptureContext {
  return { ...context, previous };
}

/** Captures files into a snapshot of their own. */
export async function captureFiles(
  repository: Repository,
  paths: string[],
  captureContext: CaptureContext,
): Promise<Capture> {
  let capture: Capture | undefined;
  await writeSnapshot(repository, async (writer) => {
    capture = await filesSource(paths).capture(writer, captureContext);
    return capture.roots;
  });
  return capture!;
}

/** Lets a snapshot seem to have one file's content in another one of the same directory, whose metadata stay as they are. */
export function giveContentOf(one: string, other: string, previous: SnapshotReader): void {
  const entries = previous.entries.bind(previous);
  previous.entries = async (tree) => {
    const nodes = await entries(tree);
    const content = nodes.find(({ name }) => name === one)?.content ?? null;
    return nodes.map((node) => (node.name === other ? { ...node, content } : node));
  };
}

/** Writes the newest snapshot once more, with one file's content in another one of the same directory, and takes that one away. */
export async function forgeNewest(repository: Repository, one: string, other: string): Promise<void> {
  const newest = (await listSnapshots(repository)).at(-1)!;
  const lock = await lockRepository(repository, { exclusive: false, clock: systemClock });
  const indexed = await loadIndex(repository);
  const reader = new Reader(indexed, newest);
  giveContentOf(one, other, reader);
  const session = await WriteSession.begin(indexed, { lock, clock: systemClock });
  const copied = async (tree: string): Promise<string> => {
    const nodes = await reader.entries(tree);
    const copies = nodes.map(async (node) =>
      node.subtree === undefined ? node : { ...node, subtree: await copied(node.subtree) },
    );
    return session.writer.saveTree(await Promise.all(copies));
  };
  const { id, ...snapshot } = { ...newest, tree: await copied(newest.tree) };
  await session.commit(() => snapshot);
  await repository.store.delete(`snapshots/${id}`);
  await reader.close();
  await lock.release();
}

export interface FilesBackup extends Capture {
  id: string;
  bytesAdded: number;
}

/**
 * Backs files up, with the newest snapshot as the previous one.
 * @param changed what changed since that one, and nothing else
 */
export async function backUpFiles(
  repository: Repository,
  paths: string[],
  options: Partial<FilesSourceOptions> = {},
  changed?: ReadonlySet<string>,
): Promise<FilesBackup> {
  const lock = await lockRepository(repository, { exclusive: false, clock: systemClock });
  const indexed = await loadIndex(repository);
  const newest = (await listSnapshots(repository)).at(-1);
  const previous = newest && new Reader(indexed, newest);
  const session = await WriteSession.begin(indexed, { lock, clock: systemClock });
  try {
    const context = { ...captureContext(previous), ...(changed && { changed }) };
    const capture = await filesSource(paths, options).capture(session.writer, context);
    const manifest = await writeFile(session.writer, 'manifest.json', Buffer.from(JSON.stringify(capture.manifest)));
    const own = await session.writer.saveTree([manifest]);
    const tree = await session.writer.saveTree([
      ...capture.roots,
      { name: '.holdfast', type: 'dir', mode: 2 ** 31 + 0o700, content: null, subtree: own },
    ]);
    const time = formatTimeMs(capture.timeMs);
    const id = await session.commit(() => ({ ...snapshotOf(tree), time, paths: capture.paths }));
    return { ...capture, id, bytesAdded: session.statistics.addedBytes };
  } catch (error) {
    await session.abort(error);
    throw error;
  } finally {
    await previous?.close();
    await lock.release();
  }
}

const context = {
  clock: systemClock,
  progress: noProgress,
  signal: new AbortController().signal,
  scratchDirectory: '/nonexistent',
};

export function restoreFiles(
  repository: Repository,
  target: string,
  id?: string,
  options: Pick<RestoreContext, 'replace'> = {},
): Promise<Restored> {
  return withReader(
    repository,
    (reader) => filesSource([]).restore(reader, { kind: 'directory', path: target }, { ...context, ...options }),
    id,
  );
}

export function validateFiles(
  repository: Repository,
  target: string,
  options: Partial<FilesSourceOptions> = {},
): Promise<Check[]> {
  return withReader(repository, async (reader) => {
    const found = { kind: 'directory', path: target } as const;
    return (await filesSource([], options).validate(reader, found, { ...context, timeMs: 0 })).checks;
  });
}
