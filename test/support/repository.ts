/** Repositories for tests: in memory or in a directory, and the shortest ways of writing to them and reading them back. */

import { createCipheriv, createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeTree, type Snapshot, seal, type TreeNode } from '../../src/format/index.ts';
import { encodeKeyFile, newSealingKey } from '../../src/format/key-file.ts';
import { encodePackTrailer, type PackedBlob } from '../../src/format/pack.ts';
import { type Clock, systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { Ledger } from '../../src/ledger/index.ts';
import { ledgerStorage } from '../../src/operations/workspace.ts';
import {
  type CheckReport,
  checkRepository,
  type IndexedRepository,
  listSnapshots,
  loadIndex,
  lockRepository,
  type PruneReport,
  pruneRepository,
  Reader,
  type Repository,
  type SnapshotWriter,
  type StoredSnapshot,
  WriteSession,
} from '../../src/repository/index.ts';
import { INDEX_PREFIX, packKey, SNAPSHOTS_PREFIX } from '../../src/repository/layout.ts';
import { Repository as RepositoryClass, sha256 } from '../../src/repository/repository.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';

export const PASSWORD = 'correct horse battery staple';

/** A directory of one's own below the run's. */
export function testDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'repo-'));
}

/** A repository as `createRepository` makes it, but without the time that deriving its key takes, at every opening. */
export async function testRepository(
  store: ObjectStore = new MemoryStore(),
  version: 1 | 2 = 2,
  password = PASSWORD,
): Promise<Repository> {
  const key = newSealingKey();
  const keyFile = await encodeKeyFile(key, password, Date.now(), { N: 2, r: 1, p: 1 });
  await store.put(`keys/${sha256(keyFile)}`, keyFile);
  const config = {
    version,
    id: createHash('sha256').update(keyFile).digest('hex'),
    chunkerPolynomial: '3da3358b4dc173',
  };
  const document = { version, id: config.id, chunker_polynomial: config.chunkerPolynomial };
  await store.put('config', seal(key, Buffer.from(JSON.stringify(document))));
  return new RepositoryClass(store, key, config, sha256(keyFile));
}

/** A wall clock and a monotonic one that tests move. */
export function movableClock(startMs = Date.now()): Clock & { advance(milliseconds: number): void } {
  let passedMs = 0;
  return {
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    advance: (milliseconds) => {
      passedMs += milliseconds;
    },
  };
}

export interface WriteOptions {
  packSizeBytes?: number;
  indexed?: IndexedRepository;
  clock?: Clock;
}

/**
 * Writes a snapshot of whatever `write` captures, under a lock, as an operation does.
 * @param write returns the root's entries
 */
export async function writeSnapshot(
  repository: Repository,
  write: (writer: SnapshotWriter, session: WriteSession) => Promise<TreeNode[]>,
  options: WriteOptions = {},
): Promise<{ id: string; tree: string; statistics: WriteSession['statistics'] }> {
  const clock = options.clock ?? systemClock;
  const lock = await lockRepository(repository, { exclusive: false, clock });
  try {
    const indexed = options.indexed ?? (await loadIndex(repository));
    const { packSizeBytes } = options;
    const session = await WriteSession.begin(indexed, { lock, clock, ...(packSizeBytes && { packSizeBytes }) });
    try {
      const tree = await session.writer.saveTree(await write(session.writer, session));
      return { id: await session.commit(() => snapshotOf(tree)), tree, statistics: session.statistics };
    } catch (error) {
      await session.abort(error);
      throw error;
    }
  } finally {
    await lock.release();
  }
}

export function snapshotOf(tree: string): Snapshot {
  return { time: new Date().toISOString(), tree, paths: ['/'], hostname: 'test', tags: ['test'] };
}

/** A file node with these contents, written through a stream. */
export async function writeFile(
  writer: SnapshotWriter,
  name: string,
  content: Uint8Array,
  cut: 'content' | number = 'content',
  pieceBytes = 1 << 20,
): Promise<TreeNode> {
  const stream = await writer.openFile(cut);
  for (let at = 0; at < content.length; at += pieceBytes) await stream.write(content.subarray(at, at + pieceBytes));
  const stored = await stream.end();
  return { name, type: 'file', mode: 0o644, size: stored.sizeBytes, content: stored.content };
}

/** Writes a snapshot of files by name. */
export function writeFiles(
  repository: Repository,
  files: Record<string, Uint8Array>,
  options: WriteOptions = {},
): ReturnType<typeof writeSnapshot> {
  return writeSnapshot(
    repository,
    async (writer) => {
      const nodes: TreeNode[] = [];
      for (const [name, content] of Object.entries(files)) nodes.push(await writeFile(writer, name, content));
      return nodes;
    },
    options,
  );
}

/** The ledger of a repository. */
export function ledgerOf(repository: Repository): Ledger {
  return new Ledger(ledgerStorage(repository), systemClock);
}

/** Work with a reader of a snapshot, the newest by default. */
export async function withReader<T>(
  repository: Repository,
  work: (reader: Reader) => Promise<T>,
  id?: string,
): Promise<T> {
  const snapshots = await listSnapshots(repository);
  const snapshot = id === undefined ? snapshots.at(-1)! : snapshots.find((each) => each.id === id)!;
  const reader = new Reader(await loadIndex(repository), snapshot);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

/** The contents of a snapshot's files by path (byte strings), read through a reader. */
export function readFiles(repository: Repository, id?: string): Promise<Map<string, Buffer>> {
  return withReader(
    repository,
    async (reader) => {
      const files = new Map<string, Buffer>();
      const visit = async (tree: string, prefix: string): Promise<void> => {
        for (const node of await reader.entries(tree)) {
          const path = `${prefix}${node.name}`;
          if (node.subtree !== undefined) await visit(node.subtree, `${path}/`);
          else if (node.type === 'file') files.set(path, await readWhole(reader, node));
        }
      };
      await visit(reader.tree, '');
      return files;
    },
    id,
  );
}

async function readWhole(reader: Reader, node: TreeNode): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of reader.read(node)) parts.push(part);
  return Buffer.concat(parts);
}

export async function extract(repository: Repository, target: string, id?: string) {
  const signal = new AbortController().signal;
  return withReader(repository, (reader) => reader.extract(target, { progress: noProgress, signal }), id);
}

/** A prune that copies into small packs. */
export function prune(
  repository: Repository,
  change: Partial<Parameters<typeof pruneRepository>[1]> = {},
): Promise<PruneReport> {
  return pruneRepository(repository, {
    clock: systemClock,
    signal: new AbortController().signal,
    progress: noProgress,
    dryRun: false,
    announce: async () => {},
    packSizeBytes: 1 << 20,
    ...change,
  });
}

export function check(repository: Repository, readData = true): Promise<CheckReport> {
  return checkRepository(repository, { readData, signal: new AbortController().signal, progress: noProgress });
}

/** The errors of a check, as `where: message`. */
export async function errorsOf(repository: Repository, readData = true): Promise<string[]> {
  const { findings } = await check(repository, readData);
  return findings.filter(({ severity }) => severity === 'error').map(({ where, message }) => `${where}: ${message}`);
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(length: number, seed: string | number = 1): Buffer {
  const key = createHash('sha256').update(String(seed)).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A blob to be put into a pack by hand, with whatever its index entry shall claim instead of the truth. */
export interface CraftedBlob {
  type: PackedBlob['type'];
  plain: Uint8Array;
  claim?: Partial<PackedBlob>;
}

/**
 * Writes a pack, its index and a snapshot of the last blob, which is a tree, with the real key: what a hostile holder of
 * the password could do. Resolves to the snapshot.
 */
export async function craftSnapshot(repository: Repository, blobs: CraftedBlob[]): Promise<StoredSnapshot> {
  const parts: Buffer[] = [];
  const packed: PackedBlob[] = [];
  let offset = 0;
  for (const { type, plain, claim } of blobs) {
    const sealed = seal(repository.key, plain);
    packed.push({ id: sha256(plain), type, offset, length: sealed.length, ...claim });
    parts.push(sealed);
    offset += sealed.length;
  }
  const pack = Buffer.concat([...parts, encodePackTrailer(repository.key, packed)]);
  const packId = sha256(pack);
  await repository.store.put(packKey(packId), pack);
  const entries = packed.map(({ uncompressedLength, ...blob }) => ({
    ...blob,
    ...(uncompressedLength !== undefined && { uncompressed_length: uncompressedLength }),
  }));
  await repository.putDocument(INDEX_PREFIX, { packs: [{ id: packId, blobs: entries }] });
  const snapshot = snapshotOf(packed.at(-1)!.id);
  return { ...snapshot, id: await repository.putDocument(SNAPSHOTS_PREFIX, snapshot) };
}

/** A tree blob as it should be. */
export function treeBlob(nodes: TreeNode[]): CraftedBlob & { id: string } {
  const plain = encodeTree(nodes);
  return { type: 'tree', plain, id: sha256(plain) };
}

/** A tree blob of whatever JSON. */
export function rawTreeBlob(nodes: Record<string, unknown>[]): CraftedBlob & { id: string } {
  const plain = Buffer.from(`${JSON.stringify({ nodes })}\n`);
  return { type: 'tree', plain, id: sha256(plain) };
}

export function dataBlob(content: string | Uint8Array): CraftedBlob & { id: string } {
  const plain = Buffer.from(content);
  return { type: 'data', plain, id: sha256(plain) };
}
