import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { LogTail, openRepository } from '../../src/repository/index.ts';
import { createGcsStore } from '../../src/store/gcs/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { document, environment, holdfast, PASSWORD, scratchDirectory } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { type GcsServer, gcsServer, placeIn } from '../support/gcs-server.ts';
import { noise } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { resticCheckCopy } from '../support/restic.ts';

/** Another server than the tests' own grants what it likes. */
const isForeign = process.env['HOLDFAST_TEST_GCS_ENDPOINT'] !== undefined;

describe.skipIf(!requires('restic'))('a repository in a bucket of Cloud Storage', () => {
  let server: GcsServer;
  let proxy: FaultyProxy;

  beforeAll(async () => {
    server = await gcsServer();
    proxy = await startFaultyProxy(server.endpoint);
    // Each command in this process listens once.
    process.stdout.setMaxListeners(50);
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

  it('keeps what is needed locked, and what somebody hid is found, read past and brought back', async () => {
    const bucket = `holdfast-cli-lock-${process.pid}`;
    const directory = scratchDirectory();
    const plan = join(directory, 'holdfast.yaml');
    mkdirSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data', 'file'), noise(100_000));
    writeFileSync(
      plan,
      `version: 1
name: test
objectives: { rpo: 1h, rto: 4h }
repositories:
  main:
    store: gs://${bucket}/at
    password: { env: HOLDFAST_PASSWORD }
    gcs: { endpoint: ${server.endpoint} }
    lock: { mode: governance, for: 30d }
sources:
  data: { type: files, paths: [${directory}/data], retention: { last: 1 } }
`,
    );
    vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
    vi.stubEnv('XDG_CACHE_HOME', join(directory, 'cache'));
    onTestFinished(() => void vi.unstubAllEnvs());
    const run = (...words: string[]) => runHere(plan, ...words);
    expect(await run('init')).toMatchObject({ exit: 0 });
    expect(await run('backup')).toMatchObject({ exit: 0, json: { locks: [{ repository: 'main', hidden: [] }] } });

    const store = createGcsStore(placeIn(server.endpoint, bucket, 'at'));
    const [snapshot, pack, index] = await Promise.all(
      ['snapshots/', 'data/', 'index/'].map((kind) => keyIn(store, kind)),
    );
    for await (const version of store.lock!.listVersions(pack!)) {
      await expect(store.lock!.removeVersion(version)).rejects.toMatchObject({ code: 'permission-denied' });
    }
    const before = new Date(Date.now() - 1).toISOString();
    await store.delete(snapshot!);
    await store.delete(pack!);
    await store.put(index!, Buffer.from('nothing'));
    expect((await run('snapshots', '--as-of', before)).json.snapshots).toHaveLength(1);
    const found = await run('check', '--lock');
    const hidden = found.json.repositories[0].findings.filter(({ message }: { message: string }) =>
      message.startsWith('it is hidden'),
    );
    expect(found.exit).toBe(1);
    expect(hidden.map(({ where }: { where: string }) => where).sort()).toEqual([pack, index, snapshot].sort());
    expect((await run('repair')).exit).toBe(0);
    expect(await run('check', '--lock', '--read-data')).toMatchObject({
      exit: 0,
      json: { repositories: [{ findings: [] }] },
    });
    await resticCheckCopy(store);
  });

  it.skipIf(isForeign)(
    'is backed up to, locked and not, by credentials that can neither delete nor replace',
    async () => {
      const bucket = await server.bucket({ lock: true });
      const directory = scratchDirectory();
      const plan = join(directory, 'holdfast.yaml');
      mkdirSync(join(directory, 'data'));
      const writePlan = (lock: string) =>
        writeFileSync(
          plan,
          `version: 1
name: test
objectives: { rpo: 1h, rto: 4h }
repositories:
  main:
    store: gs://${bucket}/at
    password: { env: HOLDFAST_PASSWORD }
    gcs: { endpoint: ${server.endpoint} }${lock}
sources:
  data: { type: files, paths: [${directory}/data], retention: { last: 1 } }
`,
        );
      writePlan('');
      vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
      onTestFinished(() => {
        server.fake.denied.clear();
        vi.unstubAllEnvs();
      });
      const runOn = (machine: string, ...words: string[]) => {
        vi.stubEnv('XDG_CACHE_HOME', join(directory, machine));
        return runHere(plan, ...words);
      };
      const store = createGcsStore(placeIn(server.endpoint, bucket, 'at'));
      expect(await runOn('upkeep', 'init')).toMatchObject({ exit: 0 });
      server.fake.denied.add('storage.objects.delete');
      // With another period the record of the locks is due to be replaced.
      for (const days of [undefined, 30, 40]) {
        writePlan(days === undefined ? '' : `\n    lock: { mode: governance, for: ${days}d }`);
        writeFileSync(join(directory, 'data', 'file'), noise(1000 + (days ?? 0)));
        const { exit, json } = await runOn('writer', 'backup');
        expect([exit, json.sources[0].outcome, json.locks?.[0].error]).toEqual([0, 'complete', undefined]);
        expect((json.locks?.[0].extended ?? 0) > 0).toBe(days !== undefined);
      }
      const told = (await runOn('writer', 'doctor')).json.repositories[0].findings;
      expect(told.filter(({ about }: { about: string }) => about === 'permissions')).toMatchObject([
        { level: 'warning', message: expect.stringContaining('backups do without') },
      ]);
      await expect(keyIn(store, 'locks/')).rejects.toThrow('nothing below');
      expect(await keyIn(store, 'holdfast/writers/')).toMatch(/-\d+$/);
      server.fake.denied.clear();
      expect(await runOn('upkeep', 'retain')).toMatchObject({ exit: 0 });
      await expect(keyIn(store, 'holdfast/writers/')).rejects.toThrow('nothing below');
      expect((await runOn('upkeep', 'check', '--lock', '--read-data')).exit).toBe(0);
      await resticCheckCopy(store);
    },
  );

  it.skipIf(isForeign)(
    'is a mirror that follows a log, with credentials that can neither delete nor replace',
    async () => {
      const bucket = await server.bucket();
      const directory = scratchDirectory();
      const plan = join(directory, 'holdfast.yaml');
      writeFileSync(
        plan,
        `version: 1
name: test
objectives: { rpo: 1h, rto: 4h }
repositories:
  main: { store: ./main, password: { env: HOLDFAST_PASSWORD } }
  eu: { store: gs://${bucket}/at, mirrorOf: main, gcs: { endpoint: ${server.endpoint} } }
sources:
  data: { type: files, paths: [${directory}], exclude: [main] }
`,
      );
      vi.stubEnv('HOLDFAST_PASSWORD', PASSWORD);
      vi.stubEnv('XDG_CACHE_HOME', join(directory, 'cache'));
      onTestFinished(() => {
        server.fake.denied.clear();
        vi.unstubAllEnvs();
      });
      expect(await runHere(plan, 'init')).toMatchObject({ exit: 0 });
      server.fake.denied.add('storage.objects.delete');
      const main = await openRepository(createLocalStore(join(directory, 'main')), PASSWORD);
      const mirrored = async (coveredUntil: string) => {
        const tail = new LogTail(main, { plan: 'test', source: 'db' });
        await tail.writeCovered({ system: '7391', timeline: 1, lsn: '0/100', coveredUntil });
        const { exit, json } = await runHere(plan, 'replicate');
        return [exit, json.mirrors[0].outcome, json.mirrors[0].keptObjects];
      };
      expect(await mirrored('2026-01-31T15:00:00Z')).toEqual([0, 'complete', 0]);
      expect(await mirrored('2026-01-31T16:00:00Z')).toEqual([0, 'complete', 1]);
    },
  );
});

async function keyIn(store: ObjectStore, prefix: string): Promise<string> {
  for await (const { key } of store.list(prefix)) return key;
  throw new Error(`nothing below ${prefix}`);
}
