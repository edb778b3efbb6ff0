import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createGcsStore } from '../../src/store/gcs/index.ts';
import { document, environment, holdfast, scratchDirectory } from '../support/cli.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { type GcsServer, gcsServer, placeIn } from '../support/gcs-server.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheckCopy } from '../support/restic.ts';

describe.skipIf(!requires('restic'))('a repository in a bucket of Cloud Storage', () => {
  let server: GcsServer;
  let proxy: FaultyProxy;

  beforeAll(async () => {
    server = await gcsServer();
    proxy = await startFaultyProxy(server.endpoint);
    return async () => {
      await proxy.close();
      await server.close();
    };
  });

  it('is made with its bucket, written over a line that breaks, checked and restored', async () => {
    const bucket = `holdfast-cli-${process.pid}`;
    const directory = scratchDirectory();
    const large = noise(12 << 20);
    mkdirSync(join(directory, 'data', 'deep'), { recursive: true });
    writeFileSync(join(directory, 'data', 'large'), large);
    for (let index = 0; index < 50; index++)
      writeFileSync(join(directory, 'data', 'deep', `${index}`), `file ${index}`);
    writeFileSync(
      join(directory, 'holdfast.yaml'),
      `version: 1
name: test
objectives: { rpo: 1h, rto: 4h }
repositories:
  main:
    store: gs://${bucket}/some/where
    password: { env: HOLDFAST_PASSWORD }
    gcs: { endpoint: ${proxy.endpoint}, location: EU }
    storageClass: NEARLINE
sources:
  data: { type: files, paths: [${directory}/data] }
`,
    );
    const env = environment({ ...server.variables, XDG_CACHE_HOME: join(directory, 'cache') });
    const run = (...words: string[]) => holdfast(directory, words, env);

    const missing = await run('snapshots');
    expect(missing).toMatchObject({ exit: 1, stderr: expect.stringContaining(`there is no bucket ${bucket}`) });
    const counted = /^main: \d+ requests.*, an estimated cost of [\d.e-]+\n$/;
    expect(await run('init')).toMatchObject({ exit: 0, stderr: expect.stringMatching(counted) });

    const sentBytes: number[] = [];
    proxy.rule = ({ method, headers }) => {
      if (method !== 'PUT') return undefined;
      sentBytes.push(Number(headers['content-length']));
      return sentBytes.length === 1 ? { breakRequestBehindAfter: 5 << 20 } : undefined;
    };
    expect(await run('backup')).toMatchObject({ exit: 0 });
    // The break, the question how much came, and the rest.
    expect(sentBytes[0]).toBeGreaterThan(8 << 20);
    expect(sentBytes.slice(1)).toEqual([0, sentBytes[0]! - (5 << 20)]);
    expect(await run('snapshots', 'data')).toMatchObject({ exit: 0, stdout: expect.stringContaining('data') });
    const checked = await run('--json', 'check', '--read-data');
    expect(document(checked)).toMatchObject({ repositories: [{ findings: [], packs: expect.anything() }] });
    expect(checked.exit).toBe(0);
    expect(await run('restore', 'data', '--to', join(directory, 'restored'))).toMatchObject({ exit: 0 });
    const restored = join(directory, 'restored', directory, 'data');
    expect(readFileSync(join(restored, 'large')).equals(large)).toBe(true);
    expect(readFileSync(join(restored, 'deep', '49'), 'utf8')).toBe('file 49');
    await resticCheckCopy(createGcsStore(placeIn(server.endpoint, bucket, 'some/where')));
  });
});
