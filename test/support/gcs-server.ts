/**
 * The Cloud Storage of a file's tests: a server of its own, or the one that HOLDFAST_TEST_GCS_ENDPOINT names, with the
 * credentials that Google's tools would take and leave to make buckets in the project that GOOGLE_CLOUD_PROJECT names.
 */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GcsStoreOptions } from '../../src/store/gcs/gcs-client.ts';
import { createGcsStore } from '../../src/store/gcs/index.ts';
import { credentialsFor, type FakeGcs, SUBJECT_TOKEN, startFakeGcs } from './fake-gcs.ts';

export interface GcsServer {
  endpoint: string;
  /** What a program needs to reach it. */
  variables: Record<string, string>;
  /** The tests' own server, which does what it is told. */
  fake: FakeGcs;
  /** Makes a bucket of one's own. */
  bucket(options?: { lock: boolean }): Promise<string>;
  close(): Promise<void>;
}

/** Also sets the variables of this process. */
export async function gcsServer(): Promise<GcsServer> {
  const fake = await startFakeGcs();
  const { HOLDFAST_TEST_GCS_ENDPOINT: given, GOOGLE_APPLICATION_CREDENTIALS: known } = process.env;
  const endpoint = given ?? fake.endpoint;
  const variables = {
    GOOGLE_APPLICATION_CREDENTIALS: given !== undefined && known !== undefined ? known : credentialsFile(fake),
    GOOGLE_CLOUD_PROJECT: (given !== undefined && process.env['GOOGLE_CLOUD_PROJECT']) || 'tests',
    // No test asks the network who it is.
    METADATA_SERVER_DETECTION: 'none',
  };
  Object.assign(process.env, variables);
  const bucket = async (options = { lock: false }): Promise<string> => {
    const name = `holdfast-${randomBytes(8).toString('hex')}`;
    await createGcsStore(placeIn(endpoint, name)).makePlace?.(options);
    return name;
  };
  return { endpoint, variables, fake, bucket, close: () => fake.close() };
}

/** A place in a bucket of such a server. */
export function placeIn(endpoint: string, bucket: string, prefix = ''): GcsStoreOptions {
  return { bucket, prefix, endpoint };
}

function credentialsFile({ endpoint }: FakeGcs): string {
  const directory = mkdtempSync(join(tmpdir(), 'google-'));
  const [file, subject] = [join(directory, 'credentials.json'), join(directory, 'subject')];
  writeFileSync(subject, SUBJECT_TOKEN);
  writeFileSync(file, JSON.stringify(credentialsFor(endpoint, subject)));
  return file;
}
