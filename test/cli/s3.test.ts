import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { document, environment, holdfast, scratchDirectory } from '../support/cli.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';
import { type S3Server, s3Server } from '../support/s3-server.ts';

describe.skipIf(!requires('radosgw', 'restic'))('a repository in a bucket', () => {
  let server: S3Server;

  beforeAll(async () => {
    server = await s3Server();
  });

  it('is made with its bucket, written, checked and restored, by stock restic too', async () => {
    const bucket = `holdfast-cli-${process.pid}`;
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'data', 'deep'), { recursive: true });
    writeFileSync(join(directory, 'data', 'large'), noise(5 << 20));
    for (let index = 0; index < 50; index++)
      writeFileSync(join(directory, 'data', 'deep', `${index}`), `file ${index}`);
    writeFileSync(
      join(directory, 'holdfast.yaml'),
      `version: 1
name: test
objectives: { rpo: 1h, rto: 4h }
repositories:
  main:
    store: s3://${bucket}/some/where
    password: { env: HOLDFAST_PASSWORD }
    s3: { endpoint: ${server.endpoint} }
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
    expect(await run('backup')).toMatchObject({ exit: 0 });
    const checked = await run('--json', 'check', '--read-data');
    expect(document(checked)).toMatchObject({ repositories: [{ findings: [], packs: expect.anything() }] });
    expect(checked.exit).toBe(0);
    expect(await run('restore', 'data', '--to', join(directory, 'restored'))).toMatchObject({ exit: 0 });

    const url = `s3:${server.endpoint}/${bucket}/some/where`;
    restic(url, ['check', '--read-data']);
    restic(url, ['restore', 'latest', '--target', join(directory, 'by-restic')]);
    for (const by of ['restored', 'by-restic']) {
      const restored = join(directory, by, directory, 'data');
      expect(readFileSync(join(restored, 'large')).equals(noise(5 << 20))).toBe(true);
      expect(readFileSync(join(restored, 'deep', '49'), 'utf8')).toBe('file 49');
    }
  });
});
