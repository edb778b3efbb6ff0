/** Backups of Firestore without the command line: captured into a repository, and read back. */

import { type Clock, systemClock } from '../../src/foundation/clock.ts';
import { noProgress, type Progress } from '../../src/foundation/progress.ts';
import type { Repository, SnapshotReader } from '../../src/repository/index.ts';
import { createFirestoreSource, type FirestoreSourceOptions } from '../../src/source/firestore/index.ts';
import type { Capture, Source } from '../../src/source/index.ts';
import type { TestDatabase, TestFirestore } from './firestore.ts';
import { readFiles, testDirectory, writeFile, writeSnapshot } from './repository.ts';

export function firestoreSource(
  { host }: Pick<TestFirestore, 'host'>,
  { project }: Pick<TestDatabase, 'project'>,
  options: Partial<FirestoreSourceOptions> = {},
): Source {
  return createFirestoreSource({
    name: 'crm',
    database: { project, database: '(default)' },
    endpoint: { emulator: host },
    collections: undefined,
    budget: { price: 0.06 },
    prices: { reads: 0.06, writes: 0.18, deletes: 0.02 },
    validate: [],
    version: '0.0.0',
    ...options,
  });
}

export interface FirestoreBackup {
  capture: Capture;
  /** Of the snapshot. */
  id: string;
  /** Text of each file below `data/`. */
  files: Map<string, string>;
  /** Every line below `data/documents/`, in the order of the files. */
  lines: string[];
}

export interface BackupContext {
  progress?: Progress;
  signal?: AbortSignal;
  previous?: SnapshotReader;
  clock?: Clock;
  /** Changes what the snapshot says of itself. */
  edit?: (manifest: Capture['manifest']) => void;
}

export async function backUpFirestore(
  repository: Repository,
  source: Source,
  {
    progress = noProgress,
    signal = new AbortController().signal,
    previous,
    clock = systemClock,
    edit,
  }: BackupContext = {},
): Promise<FirestoreBackup> {
  let capture: Capture | undefined;
  const { id } = await writeSnapshot(repository, async (writer) => {
    const context = { clock, progress, signal, scratchDirectory: testDirectory(), previous };
    capture = await source.capture(writer, context);
    edit?.(capture.manifest);
    const manifest = await writeFile(writer, 'manifest.json', Buffer.from(JSON.stringify(capture.manifest)));
    const subtree = await writer.saveTree([manifest]);
    return [...capture.roots, { name: '.holdfast', type: 'dir', mode: 2 ** 31 + 0o700, content: null, subtree }];
  });
  const files = new Map<string, string>();
  for (const [path, bytes] of await readFiles(repository, id)) {
    if (path.startsWith('data/')) files.set(path.slice('data/'.length), bytes.toString());
  }
  const lines = [...files]
    .filter(([path]) => path.startsWith('documents/'))
    .flatMap(([, text]) => text.split('\n').filter((line) => line !== ''));
  return { capture: capture!, id, files, lines };
}
