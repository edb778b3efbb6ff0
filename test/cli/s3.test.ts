import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteBucketCommand } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../src/store/index.ts';
import { createS3Store } from '../../src/store/s3/index.ts';
import { document, environment, holdfast, scratchDirectory } from '../support/cli.ts';
import { noise, testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';
import { placeAt, type S3Server, s3Server } from '../support/s3-server.ts';

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
  eu: { store: s3://${bucket}-eu, mirrorOf: main, s3: { endpoint: ${server.endpoint} } }
sources:
  data: { type: files, paths: [${directory}/data] }
`,
    );
    const env = environment({ ...server.variables, XDG_CACHE_HOME: join(directory, 'cache') });
    const run = (...words: string[]) => holdfast(directory, words, env);

    const missing = await run('snapshots');
    expect(missing).toMatchObject({ exit: 10, stderr: expect.stringContaining(`there is no bucket ${bucket}`) });
    const counted = /^main: \d+ requests.*, an estimated cost of [\d.e-]+$/m;
    expect(await run('init')).toMatchObject({ exit: 0, stderr: expect.stringMatching(counted) });
    expect(await run('backup')).toMatchObject({ exit: 0, stdout: expect.stringContaining('mirrored main to eu') });
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

  it('is healed from its mirror in another bucket, and when its own is destroyed all of it comes back from there', async () => {
    const [ours, theirs] = [await server.bucket(), await server.bucket()];
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data', 'large'), noise(3 << 20));
    writeFileSync(join(directory, 'data', 'note'), 'remember');
    const place = (bucket: string) => `store: s3://${bucket}/at, s3: { endpoint: ${server.endpoint} }`;
    writeFileSync(
      join(directory, 'holdfast.yaml'),
      `version: 1
name: test
repositories:
  main: { ${place(ours)}, password: { env: HOLDFAST_PASSWORD } }
  eu: { ${place(theirs)}, mirrorOf: main }
sources:
  data: { type: files, paths: [${directory}/data] }
`,
    );
    const env = environment({ ...server.variables, XDG_CACHE_HOME: join(directory, 'cache') });
    const run = (...words: string[]) => holdfast(directory, words, env);
    const [main, eu] = [ours, theirs].map((bucket) => createS3Store(placeAt(server.endpoint, bucket, 'at')));
    const urlOf = (bucket: string) => `s3:${server.endpoint}/${bucket}/at`;
    const expectSame = (restored: string) => {
      const { status, stdout } = spawnSync('diff', ['-r', join(directory, 'data'), join(restored, directory, 'data')]);
      expect([status, String(stdout)]).toEqual([0, '']);
    };
    await testRepository(main);
    expect(document(await run('backup', '--json')).mirrors).toMatchObject([{ mirror: 'eu', outcome: 'complete' }]);
    expect(await digests(eu!)).toEqual(await digests(main!));

    const pack = await flipByte(main!, 'data/');
    const healed = await run('restore', 'data', '--to', 'healed');
    expect(healed).toMatchObject({ exit: 0, stdout: expect.stringContaining(`${pack} of main was taken from eu`) });
    expectSame(join(directory, 'healed'));
    const again = await flipByte(main!, 'data/');
    const [gone] = [...(await objectsOf(main!, 'index/')).keys()];
    await main!.delete(gone!);
    const repaired = document(await run('check', 'main', '--repair', '--json')).repositories[0];
    expect(repaired).toMatchObject({ clean: true });
    const healedHere = repaired.healed.map(({ object, from, putBack }: Healed) => [object, from, putBack]).sort();
    expect(healedHere).toEqual([again, gone].map((object) => [object, 'eu', true]).sort());
    expect(await run('replicate')).toMatchObject({ exit: 0 });
    for (const bucket of [ours, theirs]) restic(urlOf(bucket), ['check', '--read-data']);

    const lost = await removeAll(main!);
    await server.client.send(new DeleteBucketCommand({ Bucket: ours }));
    expect(await run('replicate')).toMatchObject({ exit: 10, stdout: expect.stringContaining(`no bucket ${ours}`) });
    const [found] = document(await run('doctor', '--json')).repositories[0].findings;
    expect([found.level, found.mend.lines[0]]).toEqual(['missing', expect.stringContaining('promote eu')]);
    expect(await run('init')).toMatchObject({ exit: 1, stderr: expect.stringContaining('promote eu') });
    await expect(main!.stat('config')).rejects.toMatchObject({ code: 'no-bucket' });
    expect(await run('restore', 'data', '--repository', 'eu', '--to', 'back')).toMatchObject({ exit: 0 });
    expectSame(join(directory, 'back'));
    restic(urlOf(theirs), ['restore', 'latest', '--target', join(directory, 'by-restic')]);
    expectSame(join(directory, 'by-restic'));
    const promoted = document(await run('repository', 'promote', 'eu', '--json'));
    expect(promoted).toMatchObject({ repository: 'eu', was: 'main', epoch: 1, snapshots: 1 });

    await main!.makePlace!();
    for (const [key, bytes] of lost) await main!.put(key, bytes);
    const before = await digests(eu!);
    const stale = await run('replicate', '--json');
    expect([stale.exit, document(stale).mirrors[0].error.code]).toEqual([1, 'mirror-refused']);
    expect(await digests(eu!)).toEqual(before);
  });
});

interface Healed {
  object: string;
  from: string;
  putBack: boolean;
}

/** The objects below a prefix, without what belongs to one copy of a repository alone. */
async function objectsOf(store: ObjectStore, prefix = ''): Promise<Map<string, Buffer>> {
  const objects = new Map<string, Buffer>();
  for await (const { key } of store.list(prefix)) {
    if (!/^(?:locks|holdfast\/probe)\//.test(key)) objects.set(key, Buffer.from(await store.get(key)));
  }
  return objects;
}

async function digests(store: ObjectStore): Promise<string[]> {
  return [...(await objectsOf(store))].map(([key, bytes]) => `${key} ${hash('sha256', bytes)}`).sort();
}

/** Flips a byte of the largest object below a prefix, and says which that is. */
async function flipByte(store: ObjectStore, prefix: string): Promise<string> {
  const [[key, bytes]] = [...(await objectsOf(store, prefix))].sort(([, a], [, b]) => b.length - a.length) as [
    [string, Buffer],
  ];
  bytes[bytes.length >> 1]! ^= 1;
  await store.put(key, bytes);
  return key;
}

/** @returns what there was */
async function removeAll(store: ObjectStore): Promise<Map<string, Buffer>> {
  const objects = await objectsOf(store);
  for await (const { key } of store.list('')) await store.delete(key);
  return objects;
}
