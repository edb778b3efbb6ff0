/** What tests of physical backups share: a snapshot of a cluster in a repository that stock restic opens. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { TreeNode } from '../../src/format/index.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress, type Progress } from '../../src/foundation/progress.ts';
import type { Target } from '../../src/foundation/target.ts';
import type { SnapshotReader } from '../../src/repository/index.ts';
import type { Repository } from '../../src/repository/repository.ts';
import type { Capture, Check, RestoreContext, Restored } from '../../src/source/index.ts';
import { createPostgresSource } from '../../src/source/postgres/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { serverDirectory } from './data-directory.ts';
import { databaseTarget, scratch } from './postgres-source.ts';
import { testDirectory, testRepository, withReader, writeSnapshot } from './repository.ts';
import { restic } from './restic.ts';

export interface PhysicalBackup {
  id: string;
  capture: Capture;
  /** Bytes that were new to the repository. */
  addedBytes: number;
}

/** A repository in a directory, and backups of clusters in it. */
export class PhysicalRepository {
  readonly directory = testDirectory();
  #repository: Promise<Repository> | undefined;

  get repository(): Promise<Repository> {
    this.#repository ??= testRepository(createLocalStore(this.directory));
    return this.#repository;
  }

  async backup(url: string, progress: Progress = noProgress, signal?: AbortSignal): Promise<PhysicalBackup> {
    let captured: Capture | undefined;
    const { id, statistics } = await writeSnapshot(await this.repository, async (writer) => {
      captured = await sourceOf(url).capture(writer, { ...contextOf(progress, signal), previous: undefined });
      const stream = await writer.openFile();
      await stream.write(Buffer.from(JSON.stringify(captured.manifest)));
      const { content, sizeBytes } = await stream.end();
      const file: TreeNode = { name: 'manifest.json', type: 'file', mode: 0o600, size: sizeBytes, content };
      const subtree = await writer.saveTree([file]);
      return [...captured.roots, { name: '.holdfast', type: 'dir', mode: 2 ** 31 + 0o700, content: null, subtree }];
    });
    return { id, capture: captured!, addedBytes: statistics.addedBytes };
  }

  /**
   * Validates a server, which may be the living one, as what a snapshot came back as.
   * @param otherwise what the manifest is to say in its details that it does not
   */
  async validate(id: string, url: string, otherwise: object = {}): Promise<Check[]> {
    const context = { ...contextOf(noProgress), timeMs: 0 };
    const work = async (reader: SnapshotReader) => {
      const readWhole = reader.readWhole.bind(reader);
      reader.readWhole = async (...given) => {
        const manifest = JSON.parse(String(await readWhole(...given)));
        return Buffer.from(JSON.stringify({ ...manifest, details: { ...manifest.details, ...otherwise } }));
      };
      return (await sourceOf('').validate(reader, databaseTarget(url), context)).checks;
    };
    return withReader(await this.repository, work, id);
  }

  /** Restores a snapshot with stock restic. @returns the directory that holds `data` */
  async resticRestore(id = 'latest'): Promise<string> {
    const target = await targetDirectory();
    restic(this.directory, ['restore', id, '--target', target]);
    return target;
  }

  /** Restores a snapshot as `holdfast restore` does, to a directory that does not exist. */
  async restore(
    id: string,
    prepare: (directory: string) => void = () => {},
  ): Promise<{ directory: string; restored: Restored }> {
    const path = join(await targetDirectory(), 'restored');
    prepare(path);
    return { directory: path, restored: await this.restoreTo(path, id) };
  }

  /** The same, to a directory that may be replaced. */
  async restoreTo(
    path: string,
    id: string,
    how: Pick<RestoreContext, 'replace' | 'dryRun' | 'isReplayed' | 'recoverySettings'> = {},
    alter: (reader: SnapshotReader) => SnapshotReader = (reader) => reader,
  ): Promise<Restored> {
    const target: Target = { kind: 'directory', path };
    return withReader(
      await this.repository,
      (reader) => sourceOf('').restore(alter(reader), target, { ...contextOf(noProgress), ...how }),
      id,
    );
  }
}

/** Removed when the test has finished: many clusters together are too much for the end of the run. */
async function targetDirectory(): Promise<string> {
  const directory = await serverDirectory();
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function sourceOf(url: string) {
  return createPostgresSource({ name: 'db', url: async () => url, validate: [], version: '0.0.0', method: 'physical' });
}

function contextOf(progress: Progress, signal = new AbortController().signal) {
  return { clock: systemClock, progress, signal, scratchDirectory: scratch() };
}
