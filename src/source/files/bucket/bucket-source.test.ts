import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteObjectCommand, PutObjectCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Mishap, startFaultyProxy } from '../../../../test/support/faulty-proxy.ts';
import { captureContext } from '../../../../test/support/files-backup.ts';
import { type GcsServer, gcsServer, placeIn } from '../../../../test/support/gcs-server.ts';
import {
  errorsOf,
  noise,
  testDirectory,
  testRepository,
  withReader,
  writeFile,
  writeSnapshot,
} from '../../../../test/support/repository.ts';
import { requires } from '../../../../test/support/requirements.ts';
import { placeAt, s3Server } from '../../../../test/support/s3-server.ts';
import { byteString, byteStringOfText } from '../../../format/index.ts';
import { listSnapshots, loadIndex, Reader, type Repository } from '../../../repository/index.ts';
import { createGcsBucket, createGcsStore } from '../../../store/gcs/index.ts';
import type { Bucket } from '../../../store/index.ts';
import { createS3Bucket } from '../../../store/s3/index.ts';
import type { Capture, CaptureContext } from '../../index.ts';
import { createBucketSource } from './bucket-source.ts';
import { type ListedObject, pathOfKey, readList } from './object-list.ts';

function sourceOf(bucket: Bucket, exclude: string[] = []) {
  return createBucketSource({ name: 'uploads', bucket, exclude, validate: [], version: '0.0.0' });
}

/** Backs a bucket up, on the newest snapshot, and checks what came of it. */
async function backUp(
  repository: Repository,
  bucket: Bucket,
  exclude: string[] = [],
  more: Pick<CaptureContext, 'readAll'> = {},
): Promise<Capture> {
  const newest = (await listSnapshots(repository)).at(-1);
  const previous = newest && new Reader(await loadIndex(repository), newest);
  let captured: Capture | undefined;
  await writeSnapshot(repository, async (writer) => {
    captured = await sourceOf(bucket, exclude).capture(writer, { ...captureContext(previous), ...more });
    const manifest = await writeFile(writer, 'manifest.json', Buffer.from(JSON.stringify(captured.manifest)));
    const own = await writer.saveTree([manifest]);
    const held = { name: '.holdfast', type: 'dir', mode: 2 ** 31 + 0o700, content: null, subtree: own } as const;
    return [...captured.roots, held];
  });
  await previous?.close();
  return captured!;
}

/** The list of the newest snapshot. */
const listOf = (repository: Repository): Promise<ListedObject[]> =>
  withReader(repository, async (reader) => {
    const lines: ListedObject[] = [];
    for await (const line of readList(reader)) lines.push(line);
    return lines;
  });

const context: Omit<CaptureContext, 'previous'> = captureContext(undefined);

/** Restores the newest snapshot to a directory, and holds that against it. */
async function restored(repository: Repository, bucket: Bucket): Promise<string> {
  const path = join(testDirectory(), 'back');
  const target = { kind: 'directory', path } as const;
  await withReader(repository, async (reader) => {
    const { problems } = await sourceOf(bucket).restore(reader, target, context);
    expect(problems).toEqual([]);
    const { checks } = await sourceOf(bucket).validate(reader, target, { ...context, timeMs: 0 });
    expect(checks.map(({ name, result }) => [name, result])).toEqual([
      ['manifest', 'passed'],
      ['files', 'passed'],
    ]);
  });
  return path;
}

const compared = (repository: Repository, bucket: Bucket) =>
  withReader(repository, async (reader) => (await sourceOf(bucket).compare(reader, undefined, context)).differences);

/** Where the content of each key is, below the directory it was restored to. */
async function contentsOf(repository: Repository, path: string): Promise<Record<string, string>> {
  const entries = (await listOf(repository)).map(({ key }) => {
    const renamed = join(path, 'renamed', createHash('sha256').update(key).digest('hex'));
    const plain = Buffer.from(`${path}/data/${pathOfKey(key)?.join('/')}`, 'latin1');
    return [key, readFileSync(existsSync(renamed) ? renamed : plain).toString('latin1')];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Keys that no directory takes as they are, and some that only look so. */
const HARD_KEYS = [
  'a',
  'a-b',
  'a/b',
  'a/b/c',
  'x//y',
  'trailing/',
  '../escape',
  './here',
  '/leading',
  'back\\slash',
  'percent%2Fed',
  'plus+and space',
  'ümlaut/日本/𝒳',
  `long/${'n'.repeat(300)}`,
  'objects.jsonl',
  'data',
];

describe.skipIf(!requires('radosgw'))('objects in S3', () => {
  let repository: Repository;
  let bucket: Bucket;
  let put: (key: string, content: string | Buffer, more?: Partial<PutObjectCommandInput>) => Promise<unknown>;
  let remove: (key: string) => Promise<unknown>;

  beforeAll(async () => {
    repository = await testRepository();
    const server = await s3Server();
    const name = await server.bucket();
    put = (key, content, more = {}) =>
      server.client.send(new PutObjectCommand({ Bucket: name, Key: `up/${key}`, Body: content, ...more }));
    remove = (key) => server.client.send(new DeleteObjectCommand({ Bucket: name, Key: `up/${key}` }));
    // A page of a few shows that the next one is asked for.
    bucket = createS3Bucket({ ...placeAt(server.endpoint, name, 'up'), listPageSize: 5 });
    await server.client.send(new PutObjectCommand({ Bucket: name, Key: 'upper', Body: 'not ours' }));
  });

  it('are kept under whatever keys, and come back', async () => {
    for (const key of HARD_KEYS) await put(key, `content of ${key}`);
    await put('large', noise(6_000_000));
    await put('kind', 'text', {
      ContentType: 'text/plain',
      CacheControl: 'max-age=60',
      ContentDisposition: 'attachment',
      Metadata: { owner: 'me', 'two-words': 'a b' },
    });
    const { counts, problems } = await backUp(repository, bucket);
    expect(problems).toEqual([]);
    expect(counts).toMatchObject({ filesNew: HARD_KEYS.length + 2, filesUnmodified: 0 });
    const list = await listOf(repository);
    const keys = list.map(({ key }) => key);
    expect(keys.toSorted()).toEqual([...HARD_KEYS, 'large', 'kind'].sort());
    expect(keys.map(byteStringOfText)).toEqual(keys.map(byteStringOfText).sort());
    expect(list.find(({ key }) => key === 'kind')!.headers).toEqual({
      contentType: 'text/plain',
      cacheControl: 'max-age=60',
      contentDisposition: 'attachment',
      metadata: { owner: 'me', 'two-words': 'a b' },
    });
    const found = await contentsOf(repository, await restored(repository, bucket));
    const expected = HARD_KEYS.map((key) => [key, byteString(Buffer.from(`content of ${key}`))]);
    const all = [...expected, ['large', noise(6_000_000).toString('latin1')], ['kind', 'text']];
    expect(found).toEqual(Object.fromEntries(all));
  });

  it('are read again when their version says so, and no others', async () => {
    expect(await compared(repository, bucket)).toEqual([]);
    await put('a/b', 'another');
    await put('new', 'new');
    await remove('large');
    await remove('a');
    const differences = (await compared(repository, bucket)).map(({ item, kind }) => [item, kind]);
    expect(differences).toEqual([
      ['a', 'missing'],
      ['a/b', 'content'],
      ['large', 'missing'],
      ['new', 'extra'],
    ]);
    const { counts } = await backUp(repository, bucket);
    expect(counts).toMatchObject({ filesNew: 1, filesChanged: 1, filesUnmodified: HARD_KEYS.length - 1 });
    const found = await contentsOf(repository, await restored(repository, bucket));
    expect(found).toMatchObject({ 'a/b': 'another', new: 'new', 'a/b/c': 'content of a/b/c' });
    expect(Object.keys(found)).not.toContain('large');
    expect(await compared(repository, bucket)).toEqual([]);
  });

  it('are all read again where that is wanted', async () => {
    const opened: string[] = [];
    const watched: Bucket = {
      location: bucket.location,
      list: (after) => bucket.list(after),
      open: (key) => {
        opened.push(key);
        return bucket.open(key);
      },
    };
    const { counts } = await backUp(repository, watched);
    expect(opened).toEqual([]);
    expect(counts.filesUnmodified).toBeGreaterThan(0);
    expect((await backUp(repository, watched, [], { readAll: true })).counts).toEqual(counts);
    expect(opened).toHaveLength(counts.filesUnmodified);
  });

  it('are left out where the plan says so', async () => {
    const { manifest } = await backUp(repository, bucket, ['/a*', 'trailing']);
    expect(manifest.details['files']).toBe(HARD_KEYS.length - 3);
    expect((await listOf(repository)).map(({ key }) => key)).not.toContain('a/b');
  });

  it('come whole through a network that goes wrong, without what is gone since, and what may not be read is named', async () => {
    const server = await s3Server();
    const name = await server.bucket();
    const contents = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`k${index}`, noise(40_000, index)]));
    for (const [Key, Body] of Object.entries(contents)) {
      await server.client.send(new PutObjectCommand({ Bucket: name, Key, Body }));
    }
    const proxy = await startFaultyProxy(server.endpoint);
    onTestFinished(() => proxy.close());
    const refusal = (status: number, code: string): Mishap => ({
      answer: { status, body: `<Error><Code>${code}</Code></Error>` },
    });
    const once: Record<string, Mishap> = {
      k0: { answer: { status: 503 } },
      k1: { breakAnswerAfter: 30_000 },
      k2: { shortenBy: 1 },
      k3: { flip: 'answer' },
      k4: { breakAnswerAfter: -1 },
    };
    const always: Record<string, Mishap> = { k5: refusal(403, 'AccessDenied'), k6: refusal(404, 'NoSuchKey') };
    let listings = 0;
    proxy.rule = ({ path }) => {
      const key = /\/(k\d)\b/.exec(path)?.[1];
      // The second page.
      if (key === undefined) return listings++ === 1 ? { breakAnswerAfter: 300 } : undefined;
      const mishap = once[key] ?? always[key];
      delete once[key];
      return mishap;
    };
    const own = await testRepository();
    const faulty = createS3Bucket({ ...placeAt(proxy.endpoint, name), listPageSize: 5 });
    const { problems } = await backUp(own, faulty);
    expect(Object.keys(once)).toEqual([]);
    expect(problems).toMatchObject([{ item: 'k5', error: { code: 'permission-denied' } }]);
    proxy.rule = () => undefined;
    const { k5: _, k6: __, ...rest } = contents;
    const found = await contentsOf(own, await restored(own, faulty));
    expect((await listOf(own)).map(({ key }) => key)).toEqual(Object.keys(rest));
    for (const [key, bytes] of Object.entries(rest)) expect(found[key]).toBe(bytes.toString('latin1'));
    // What was missed is there again.
    expect(await backUp(own, faulty)).toMatchObject({ problems: [], counts: { filesNew: 2, filesUnmodified: 7 } });
    expect(await errorsOf(own)).toEqual([]);
  });

  it('are told to be readable, or why not', async () => {
    const signal = new AbortController().signal;
    const about = { signal, longestGapMs: undefined };
    expect(await sourceOf(bucket).examine(about)).toMatchObject([{ level: 'ok', message: 'can be listed and read' }]);
    const { endpoint } = await s3Server();
    const missing = createS3Bucket(placeAt(endpoint, 'there-is-no-such-bucket'));
    expect(await sourceOf(missing).examine(about)).toMatchObject([{ level: 'missing' }]);
    await expect(backUp(repository, missing)).rejects.toMatchObject({ code: 'no-bucket' });
  });
});

describe('objects in Cloud Storage', () => {
  let server: GcsServer;

  beforeAll(async () => {
    server = await gcsServer();
    return () => server.close();
  });

  it('are kept, come back, and are read again when their generation says so', async () => {
    const repository = await testRepository();
    const name = await server.bucket();
    const store = createGcsStore(placeIn(server.endpoint, name, 'up'));
    for (const key of ['a', 'a/b', 'c/d']) await store.put(key, Buffer.from(key));
    const bucket = createGcsBucket({ ...placeIn(server.endpoint, name, 'up'), listPageSize: 2 });
    expect((await backUp(repository, bucket)).counts).toMatchObject({ filesNew: 3 });
    await store.put('c/d', Buffer.from('another'));
    expect((await backUp(repository, bucket)).counts).toMatchObject({ filesChanged: 1, filesUnmodified: 2 });
    const path = await restored(repository, bucket);
    expect(await contentsOf(repository, path)).toEqual({ a: 'a', 'a/b': 'a/b', 'c/d': 'another' });
    expect((await listOf(repository))[0]).toMatchObject({ headers: { contentType: 'application/octet-stream' } });
    expect(await compared(repository, bucket)).toEqual([]);
    const missing = createGcsBucket(placeIn(server.endpoint, 'there-is-none'));
    await expect(backUp(repository, missing)).rejects.toMatchObject({ code: 'no-bucket' });
  });
});
