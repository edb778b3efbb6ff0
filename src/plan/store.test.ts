import { expect, test } from 'vitest';
import { parseStore } from './store.ts';
import { storePlace } from './store-place.ts';

test.each([
  ['./repository', '/plans/repository'],
  ['../repository/', '/repository'],
  ['/srv/backups', '/srv/backups'],
  ['file:///srv/my%20backups', '/srv/my backups'],
  ['FILE:///srv', '/srv'],
  ['./s3:x', '/plans/s3:x'],
])('%s lies at %s', (store, path) => {
  expect(parseStore(store, '/plans')).toEqual({ kind: 'local', path });
});

test.each([
  [
    'sftp:host:/x',
    'a store at sftp: is not a store; expected a path, a file:// URL, s3://bucket/prefix or gs://bucket/prefix',
  ],
  ['s3://key:secret@bucket/x', /^credentials are never written in the plan/],
  [
    's3:https://host/bucket',
    /^not the name of a bucket \(3 to 63 of .*\); expected s3:\/\/bucket\/prefix, and the endpoint under "s3"$/,
  ],
  ['s3://Bucket/x', /^not the name of a bucket/],
  ['s3://bu', /^not the name of a bucket/],
  ['gs://key:secret@bucket/x', /^credentials are never written in the plan, they come from where Google's tools/],
  [
    'gs:bucket:/x',
    /^not the name of a bucket \(3 to 222 of .*\); expected gs:\/\/bucket\/prefix, and the endpoint under "gcs"$/,
  ],
  ['gs://Bucket/x', /^not the name of a bucket/],
  ['gs://bucket/../b', /^not a prefix/],
  ['s3://bucket/a//b', /^not a prefix/],
  ['s3://bucket/../b', /^not a prefix/],
  ['s3://bucket/a?b', /^not a prefix/],
  ['file://host/x', 'not a file URL of this machine; expected file:///absolute/path'],
  ['file:/x', 'not a file URL of this machine; expected file:///absolute/path'],
  ['file:///a%2Fb', 'not a file URL of this machine; expected file:///absolute/path'],
  ['file:///a%00b', 'not a file URL of this machine; expected file:///absolute/path'],
  ['~/backups', '"~" is not expanded; expected an absolute path'],
  ['', 'the store is empty; expected a path, a file:// URL, s3://bucket/prefix or gs://bucket/prefix'],
  ['a\0b', 'a path holds no zero byte'],
])('%j is refused', async (store, problem) => {
  const expected = typeof problem === 'string' ? problem : expect.stringMatching(problem);
  expect(parseStore(store, '/plans')).toEqual({ problem: expected });
  const repository = { store, s3: { pathStyle: false } };
  await expect(storePlace(repository, { directory: '/plans', env: {} })).rejects.toThrow(problem);
});

test.each([
  ['s3://bucket', 's3', 'bucket', ''],
  ['s3://bucket/', 's3', 'bucket', ''],
  ['S3://my.bucket-1/a/b_c=1/', 's3', 'my.bucket-1', 'a/b_c=1'],
  ['gs://bucket', 'gcs', 'bucket', ''],
  ['GS://my_bucket.example.com/a/b/', 'gcs', 'my_bucket.example.com', 'a/b'],
])('%s is in %s the bucket %s and the prefix "%s"', (store, kind, bucket, prefix) => {
  expect(parseStore(store, '/plans')).toEqual({ kind, bucket, prefix });
});

test('the place of a repository has its options, with what references stand for', async () => {
  const s3 = { endpoint: { env: 'ENDPOINT' }, pathStyle: true, storageClass: 'STANDARD_IA' };
  const gcs = { endpoint: { env: 'ENDPOINT' }, location: 'EU', storageClass: 'COLDLINE' };
  const repository = { store: { env: 'STORE' }, s3, gcs };
  const env = { ENDPOINT: 'http://127.0.0.1:1', STORE: 's3://bucket/x' };
  expect(await storePlace(repository, { directory: '/plans', env })).toEqual({
    ...{ kind: 's3', bucket: 'bucket', prefix: 'x' },
    ...{ endpoint: 'http://127.0.0.1:1', pathStyle: true, storageClass: 'STANDARD_IA' },
  });
  expect(await storePlace(repository, { directory: '/plans', env: { ...env, STORE: 'gs://bucket/x' } })).toEqual({
    ...{ kind: 'gcs', bucket: 'bucket', prefix: 'x' },
    ...{ endpoint: 'http://127.0.0.1:1', location: 'EU', storageClass: 'COLDLINE' },
  });
});
