/**
 * The S3 server of the run: `radosgw`, or the one that HOLDFAST_TEST_S3_ENDPOINT names, with the credentials that AWS's
 * tools would take and leave to make buckets.
 */

import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3StoreOptions } from '../../src/store/s3/s3-client.ts';
import { type RadosgwAddress, SOCKET } from './radosgw.ts';

export interface S3Server {
  endpoint: string;
  /** What a program needs to reach it. */
  variables: Record<string, string>;
  /** A client that may do everything. */
  client: S3Client;
  /** Makes a bucket of one's own. */
  bucket(options?: { lock: boolean }): Promise<string>;
}

/** Also sets the variables of this process. */
export async function s3Server(): Promise<S3Server> {
  const { endpoint, ...variables } = await address();
  Object.assign(process.env, variables);
  const client = new S3Client({ endpoint, region: variables.AWS_REGION, forcePathStyle: true });
  const bucket = async ({ lock } = { lock: false }) => {
    const name = `holdfast-${randomBytes(8).toString('hex')}`;
    await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: lock }));
    return name;
  };
  return { endpoint, variables, client, bucket };
}

/** A place in a bucket of that server. */
export function placeAt(endpoint: string, bucket: string, prefix = ''): S3StoreOptions {
  return { bucket, prefix, endpoint, pathStyle: true };
}

async function address() {
  const { HOLDFAST_TEST_S3_ENDPOINT: given, AWS_REGION = 'us-east-1' } = process.env;
  // No test asks the network who it is.
  const common = { AWS_REGION, AWS_EC2_METADATA_DISABLED: 'true' };
  if (given !== undefined) {
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env;
    return { endpoint: given, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...common };
  }
  const socket = connect(join(process.env['HOLDFAST_TEST_DIRECTORY'] ?? '', SOCKET));
  const answer = JSON.parse(await text(socket)) as RadosgwAddress | { error: string };
  if ('error' in answer) throw new Error(answer.error);
  const { endpoint, accessKeyId, secretAccessKey } = answer;
  return { endpoint, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, ...common };
}
