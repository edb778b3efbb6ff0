import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../index.ts';
import { createS3Store } from './index.ts';

const before = { ...process.env };
let store: ObjectStore;
/** What the object's class and its `x-amz-restore` are. */
let kept: Record<string, string> = {};
/** What a request to restore it is answered. */
let restoring = { status: 202, code: '' };
const asked: { method: string; path: string; body: string }[] = [];

/** A server with one object: the S3 servers that tests have know no class that must be asked. */
const server = createServer(async (request, response) => {
  const { method = '', url: path = '' } = request;
  const error = (code: string) => `<?xml version="1.0"?><Error><Code>${code}</Code><Message>it is so</Message></Error>`;
  asked.push({ method, path, body: await text(request) });
  if (method === 'HEAD') response.writeHead(200, kept).end();
  else if (method === 'GET') response.writeHead(403).end(error('InvalidObjectState'));
  else response.writeHead(restoring.status).end(restoring.code === '' ? '' : error(restoring.code));
});

beforeAll(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  store = createS3Store({ bucket: 'bucket', prefix: 'p', endpoint, pathStyle: true });
});

afterAll(() => {
  process.env = before;
  server.closeAllConnections();
  server.close();
});

describe('an object in a class that must be asked for it', () => {
  it.each<[Record<string, string>, string | undefined]>([
    [{}, undefined],
    [{ 'x-amz-storage-class': 'GLACIER_IR' }, undefined],
    [{ 'x-amz-storage-class': 'GLACIER' }, 'unasked'],
    [{ 'x-amz-storage-class': 'DEEP_ARCHIVE', 'x-amz-restore': 'ongoing-request="true"' }, 'asked'],
    [
      {
        'x-amz-storage-class': 'GLACIER',
        'x-amz-restore': 'ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"',
      },
      undefined,
    ],
  ])('%j is told for what it is', async (headers, offline) => {
    kept = headers;
    expect((await store.stat('data/a'))?.offline).toBe(offline);
  });

  it('is not read, which is an error of its own and no reason to try again', async () => {
    await expect(store.get('data/a')).rejects.toMatchObject({
      ...{ code: 'object-offline', retryable: false },
      message: expect.stringContaining('data/a in s3://bucket/p'),
      hint: expect.stringContaining('hours before'),
    });
  });

  it('is asked for, once or again', async () => {
    asked.length = 0;
    await store.recall!('data/a', { tier: 'bulk', days: 3 });
    expect(asked).toMatchObject([{ method: 'POST', path: expect.stringContaining('/bucket/p/data/a?restore') }]);
    expect(asked[0]!.body).toContain('<Days>3</Days><GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters>');
    restoring = { status: 409, code: 'RestoreAlreadyInProgress' };
    await store.recall!('data/a', { tier: 'bulk', days: 3 });
    restoring = { status: 403, code: 'AccessDenied' };
    await expect(store.recall!('data/a', { tier: 'bulk', days: 3 })).rejects.toMatchObject({
      ...{ code: 'permission-denied', hint: 'Allow the credentials s3:RestoreObject on bucket.' },
    });
    restoring = { status: 503, code: 'GlacierExpeditedRetrievalNotAvailable' };
    await expect(store.recall!('data/a', { tier: 'expedited', days: 3 })).rejects.toMatchObject({
      retryable: true,
    });
  });
});
