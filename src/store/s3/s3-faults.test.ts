import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type FaultyProxy, startFaultyProxy } from '../../../test/support/faulty-proxy.ts';
import { requires } from '../../../test/support/requirements.ts';
import { resticCheck } from '../../../test/support/restic.ts';
import { placeAt, type S3Server, s3Server } from '../../../test/support/s3-server.ts';
import { describeStoreFaults } from '../../../test/support/store-faults.ts';
import { createS3Store } from './index.ts';

const OTHER_TAG = '"00000000000000000000000000000000"';

describe.skipIf(!requires('radosgw', 'restic'))('S3', () => {
  let server: S3Server;
  let bucket: string;

  beforeAll(async () => {
    server = await s3Server();
    bucket = await server.bucket();
  });

  describeStoreFaults('a bucket', async () => ({
    endpoint: server.endpoint,
    create: ({ endpoint, prefix, ...options }) => createS3Store({ ...placeAt(endpoint, bucket, prefix), ...options }),
    answers: {
      forbidden: { answer: { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' } },
      permission: 's3:GetObject',
      otherContent: { answer: { status: 200, headers: { etag: OTHER_TAG } } },
    },
    resticCheck: async (prefix) => resticCheck(`s3:${server.endpoint}/${bucket}/${prefix}`),
  }));

  it('asks anew for credentials that have expired', async () => {
    const proxy: FaultyProxy = await startFaultyProxy(server.endpoint);
    const directory = mkdtempSync(join(tmpdir(), 'aws-'));
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = server.variables;
    const keys = { Version: 1, AccessKeyId: AWS_ACCESS_KEY_ID, SecretAccessKey: AWS_SECRET_ACCESS_KEY };
    const program = `sh -c "echo asked >> ${directory}/log; cat ${directory}/keys"`;
    writeFileSync(join(directory, 'keys'), JSON.stringify(keys));
    writeFileSync(join(directory, 'config'), `[default]\ncredential_process = ${program}\n`);
    const before = { ...process.env };
    try {
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name];
      process.env['AWS_CONFIG_FILE'] = join(directory, 'config');
      const store = createS3Store(placeAt(proxy.endpoint, bucket, 'expired'));
      await store.put('old', Buffer.from('content'));
      const body = '<Error><Code>ExpiredToken</Code></Error>';
      proxy.rule = (_, index) => (index === 1 ? { answer: { status: 400, body } } : undefined);
      expect(await store.stat('old')).toBeDefined();
      expect(readFileSync(join(directory, 'log'), 'utf8')).toBe('asked\nasked\n');
    } finally {
      process.env = before;
      await proxy.close();
    }
  });
});
