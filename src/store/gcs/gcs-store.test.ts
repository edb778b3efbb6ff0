import { randomBytes } from 'node:crypto';
import { beforeAll, describe } from 'vitest';
import { type GcsServer, gcsServer, placeIn } from '../../../test/support/gcs-server.ts';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import type { ObjectStore } from '../index.ts';
import type { GcsStoreOptions } from './gcs-client.ts';
import { createGcsStore } from './index.ts';

describe('Cloud Storage', () => {
  let server: GcsServer;
  let bucket: string;

  beforeAll(async () => {
    server = await gcsServer();
    bucket = await server.bucket();
    return () => server.close();
  });

  const freshStore = (options: Partial<GcsStoreOptions> = {}): ObjectStore =>
    createGcsStore({ ...placeIn(server.endpoint, bucket, `at/${randomBytes(6).toString('hex')}`), ...options });

  describeObjectStore('a bucket', freshStore);
  describeObjectStore('a bucket, all uploads resumable', () => freshStore({ resumableFromBytes: 1 }));
});
