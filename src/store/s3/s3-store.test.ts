import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { requires } from '../../../test/support/requirements.ts';
import { placeAt, type S3Server, s3Server } from '../../../test/support/s3-server.ts';
import { describeObjectStore } from '../../../test/support/store-conformance.ts';
import type { ObjectStore } from '../index.ts';
import { createS3Store } from './index.ts';

describe.skipIf(!requires('radosgw'))('S3', () => {
  let server: S3Server;
  let bucket: string;

  beforeAll(async () => {
    server = await s3Server();
    bucket = await server.bucket();
  });

  const freshStore = (): ObjectStore =>
    createS3Store(placeAt(server.endpoint, bucket, `at/${randomBytes(6).toString('hex')}`));

  describeObjectStore('a bucket', freshStore);

  it('x', async () => {
    expect(1).toBe(1);
  });
});
