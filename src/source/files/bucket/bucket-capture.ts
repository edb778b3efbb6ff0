import { createHash } from 'node:crypto';
import { byteStringOfText, formatTimeMs, type TreeNode } from '../../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../../foundation/errors.ts';
import { pauseUntilAborted } from '../../../foundation/pause.ts';
import { awaitedLater, settled } from '../../../foundation/promises.ts';
import type { FileStream, SnapshotWriter } from '../../../repository/index.ts';
import type { Bucket, BucketObject } from '../../../store/index.ts';
import type { Capture, CaptureContext, Problem } from '../../index.ts';
import { KeyTree } from './key-tree.ts';
import {
  DATA_DIRECTORY,
  isKeyExcluded,
  LIST_NAME,
  type ListedObject,
  ListFinder,
  lineOf,
  pathOfKey,
  RENAMED_DIRECTORY,
  readList,
} from './object-list.ts';

/** An object in the snapshot, and its line in the list. */
interface Taken {
  node: TreeNode;
  line: ListedObject;
}

const MOST_AT_ONCE = 8;
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 250;
/** What concerns one object and no other. */
const OF_ONE_OBJECT = ['object-offline', 'permission-denied'] as const;

/**
 * Captures the objects of a bucket. What has the version that the previous snapshot has is not read again; each is taken as
 * it is when it is read, since no bucket has a moment of its own.
 */
export class BucketCapture {
  readonly problems: Problem[] = [];
  readonly counts: Capture['counts'] = { filesNew: 0, filesChanged: 0, filesUnmodified: 0, dirs: 0, bytesProcessed: 0 };
  readonly #bucket: Bucket;
  readonly #writer: SnapshotWriter;
  readonly #context: CaptureContext;
  readonly #isExcluded: (path: string) => boolean;
  readonly #reading = new Set<Promise<void>>();
  /** Lines are written in the order of their keys, whichever object is read first. */
  #lines: Promise<void> = Promise.resolve();

  constructor(
    bucket: Bucket,
    {
      writer,
      context,
      isExcluded,
    }: { writer: SnapshotWriter; context: CaptureContext; isExcluded: (path: string) => boolean },
  ) {
    this.#bucket = bucket;
    this.#writer = writer;
    this.#context = context;
    this.#isExcluded = isExcluded;
  }

  /** @returns the entries of the root directory @throws the store's errors; source-unsupported for keys in no order */
  async capture(): Promise<TreeNode[]> {
    const { previous } = this.#context;
    const known = new ListFinder(previous === undefined ? nothing() : readList(previous));
    const list = await this.#writer.openFile();
    try {
      const data = await KeyTree.begin(this.#writer, previous, DATA_DIRECTORY);
      const renamed = await KeyTree.begin(this.#writer, previous, RENAMED_DIRECTORY);
      for await (const object of this.#listed()) {
        if (isKeyExcluded(object.key, this.#isExcluded)) continue;
        await this.#place(object, await known.find(object.key), { data, renamed, list });
      }
      const trees = renamed.isEmpty ? [data] : [data, renamed];
      const nodes = await Promise.all(trees.map((tree) => tree.finish()));
      await this.#lines;
      this.#context.signal.throwIfAborted();
      this.counts.dirs += data.directories + renamed.directories;
      return [...nodes, await listNode(list)];
    } catch (error) {
      await Promise.allSettled([...this.#reading, this.#lines]);
      list.abort();
      throw error;
    } finally {
      await known.close();
    }
  }

  /** Goes on behind the last key after a failure that may pass. */
  async *#listed(): AsyncIterable<BucketObject> {
    let last: string | undefined;
    const pause = pauseUntilAborted(this.#context.signal);
    for (let attempt = 1; ; attempt++) {
      try {
        for await (const object of this.#bucket.list(last)) {
          this.#context.signal.throwIfAborted();
          if (last !== undefined && byteStringOfText(object.key) <= byteStringOfText(last)) throw this.#unordered();
          yield object;
          last = object.key;
          attempt = 1;
        }
        return;
      } catch (error) {
        if (!isHoldfastError(error) || !error.retryable || attempt === ATTEMPTS) throw error;
        await pause(error.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** attempt);
      }
    }
  }

  #unordered(): HoldfastError {
    return new HoldfastError('source-unsupported', `${this.#bucket.location} lists its objects in no order`, {
      hint: 'A bucket of the general kind lists them by their keys.',
    });
  }

  async #place(
    object: BucketObject,
    line: ListedObject | undefined,
    { data, renamed, list }: { data: KeyTree; renamed: KeyTree; list: FileStream },
  ): Promise<void> {
    const parts = pathOfKey(object.key);
    const own = createHash('sha256').update(object.key).digest('hex');
    const displaced = parts && (await data.enter(parts));
    if (displaced !== undefined) await displace(displaced, renamed);
    const name = parts?.at(-1) ?? own;
    const tree = parts === undefined ? renamed : data;
    const there = tree.before(name);
    // Last time it may have had to go elsewhere, for a directory of its name.
    const before = there?.type === 'file' ? there : renamed.before(own);
    const taken = this.#take(object, name, { line, before });
    while (this.#reading.size >= Math.min(MOST_AT_ONCE, this.#writer.maxStreams - 1)) await Promise.race(this.#reading);
    tree.add(
      name,
      taken.then((each) => each?.node),
    );
    this.#lines = awaitedLater(
      this.#lines.then(async () => {
        const { line: written } = (await taken) ?? {};
        if (written !== undefined) await list.write(Buffer.from(`${JSON.stringify(written)}\n`));
      }),
    );
  }

  #take(
    object: BucketObject,
    name: string,
    known: { line: ListedObject | undefined; before: TreeNode | undefined },
  ): Promise<Taken | undefined> {
    const { line, before } = known;
    const isSame = line?.version === object.version && line.size === object.sizeBytes;
    if (isSame && this.#context.readAll !== true && before?.content != null && this.#writer.holds(before.content)) {
      this.counts.filesUnmodified++;
      this.#count(object.sizeBytes);
      return Promise.resolve({ node: { ...before, name }, line });
    }
    const kind = isSame ? 'filesUnmodified' : before === undefined ? 'filesNew' : 'filesChanged';
    const taken = awaitedLater(this.#read(object.key, name, kind));
    const reading = settled(taken).finally(() => this.#reading.delete(reading));
    this.#reading.add(reading);
    return taken;
  }

  async #read(
    key: string,
    name: string,
    kind: 'filesNew' | 'filesChanged' | 'filesUnmodified',
  ): Promise<Taken | undefined> {
    const pause = pauseUntilAborted(this.#context.signal);
    for (let attempt = 1; ; attempt++) {
      try {
        const taken = await this.#readOnce(key, name);
        if (taken !== undefined) this.counts[kind]++;
        return taken;
      } catch (error) {
        this.#context.signal.throwIfAborted();
        if (OF_ONE_OBJECT.some((code) => isHoldfastError(error, code))) {
          this.problems.push({ item: key, error: error as HoldfastError });
          return undefined;
        }
        if (!isHoldfastError(error) || !error.retryable || attempt === ATTEMPTS) throw error;
        await pause(error.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** attempt);
      }
    }
  }

  async #readOnce(key: string, name: string): Promise<Taken | undefined> {
    const stream = await this.#writer.openFile();
    try {
      const opened = await this.#bucket.open(key);
      // It was removed since it was listed.
      if (opened === undefined) return undefined;
      for await (const chunk of opened.body) {
        this.#context.signal.throwIfAborted();
        await stream.write(chunk);
      }
      const { content, sizeBytes } = await stream.end();
      this.#count(sizeBytes);
      const time = formatTimeMs(opened.modifiedMs);
      const times = { mtime: time, atime: time, ctime: time };
      const node: TreeNode = { name, type: 'file', mode: 0o644, ...times, size: sizeBytes, content };
      return { node, line: lineOf(opened, opened.headers) };
    } finally {
      stream.abort();
    }
  }

  #count(bytes: number): void {
    this.counts.bytesProcessed += bytes;
    this.#context.progress.advance({ bytes, items: 1 });
  }
}

/** An object whose name is also that of a directory: `a` beside `a/b`. */
async function displace({ node, key }: { node: Promise<TreeNode | undefined>; key: string }, renamed: KeyTree) {
  const there = await node;
  const name = createHash('sha256').update(key, 'latin1').digest('hex');
  if (there !== undefined) renamed.add(name, Promise.resolve({ ...there, name }));
}

async function listNode(list: FileStream): Promise<TreeNode> {
  const { content, sizeBytes } = await list.end();
  const never = formatTimeMs(0);
  const times = { mtime: never, atime: never, ctime: never };
  return { name: LIST_NAME, type: 'file', mode: 0o600, ...times, size: sizeBytes, content };
}

async function* nothing(): AsyncGenerator<ListedObject> {}
