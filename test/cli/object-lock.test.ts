import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { isLocked, isRemovedLocked } from '../../src/repository/index.ts';
import type { ObjectVersion } from '../../src/store/index.ts';
import { LockedStore } from '../../src/store/locked/index.ts';
import { createS3Store } from '../../src/store/s3/index.ts';
import { PASSWORD } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import { noise, testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';
import { placeAt, type S3Server, s3Server } from '../support/s3-server.ts';

const DAY_MS = 24 * 60 * 60_000;

describe.skipIf(!requires('radosgw', 'restic'))('a repository whose objects are locked', () => {
  const bucket = `holdfast-lock-${process.pid}`;
  const directory = mkdtempSync(join(tmpdir(), 'lock-'));
  let server: S3Server;

  beforeAll(async () => {
    server = await s3Server();
    for (const [name, value] of Object.entries({
      ...server.variables,
      HOLDFAST_PASSWORD: PASSWORD,
      XDG_CACHE_HOME: join(directory, 'cache'),
    })) {
      vi.stubEnv(name, value);
    }
    mkdirSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data', 'large'), noise(100_000));
    writeFileSync(join(directory, 'data', 'small'), 'small');
    writePlan('holdfast.yaml', server.endpoint);
    // Each command in this process listens once.
    process.stdout.setMaxListeners(50);
    const store = createS3Store(placeAt(server.endpoint, bucket, 'at'));
    const rule = { mode: 'governance', forMs: 30 * DAY_MS, clock: systemClock, isLocked, isRemovedLocked } as const;
    const locked = new LockedStore(store, rule);
    await locked.makePlace();
    await testRepository(locked);
  });

  afterAll(() => vi.unstubAllEnvs());

  function writePlan(name: string, endpoint: string, place = `${bucket}/at`): void {
    writeFileSync(
      join(directory, name),
      `version: 1
name: test
objectives: { rpo: 1h, rto: 4h }
repositories:
  main:
    store: s3://${place}
    password: { env: HOLDFAST_PASSWORD }
    s3: { endpoint: ${endpoint} }
    lock: { mode: governance, for: 30d }
sources:
  data: { type: files, paths: [${directory}/data], retention: { last: 1 } }
`,
    );
  }

  const run = (...words: string[]) => runWith('holdfast.yaml', ...words);
  const runWith = (name: string, ...words: string[]) => runHere(join(directory, name), ...words);

  const lock = () => createS3Store(placeAt(server.endpoint, bucket, 'at')).lock!;
  async function versions(prefix: string): Promise<ObjectVersion[]> {
    const all: ObjectVersion[] = [];
    for await (const version of lock().listVersions(prefix)) all.push(version);
    return all;
  }
  const hide = (key: string) => server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: `at/${key}` }));
  const stock = (...words: string[]) => restic(`s3:${server.endpoint}/${bucket}/at`, words);

  it('is made with a bucket that can lock', async () => {
    const own = `${bucket}-init`;
    writePlan('init.yaml', server.endpoint, own);
    expect(await runWith('init.yaml', 'init')).toMatchObject({ exit: 0 });
    const store = createS3Store(placeAt(server.endpoint, own));
    expect(await store.lock!.state()).toEqual({ keepsVersions: true, locks: true });
    writePlan('unlockable.yaml', server.endpoint, await server.bucket());
    const refused = await runWith('unlockable.yaml', 'init');
    expect(refused).toMatchObject({ exit: 1, json: { error: { code: 'store-unsuitable' } } });
  });

  it('locks what is needed and nothing else, from the first instant', async () => {
    // Before any pass over what is there.
    const fresh = await Promise.all((await versions('')).map((version) => lock().lockOf(version)));
    expect(fresh.map((retention) => retention?.mode)).toEqual(['governance', 'governance']);
    expect(await run('backup')).toMatchObject({ exit: 0, json: { locks: [{ repository: 'main', hidden: [] }] } });
    const all = await versions('');
    const untilMs = Date.now() + 30 * DAY_MS;
    for (const version of all) {
      const retention = await lock().lockOf(version);
      if (/^(?:config$|keys|index|snapshots|data|holdfast\/ledger)/.test(version.key)) {
        expect(retention?.mode).toBe('governance');
        expect(Math.abs(retention!.untilMs - untilMs)).toBeLessThan(60_000);
        await expect(lock().removeVersion(version)).rejects.toMatchObject({ code: 'permission-denied' });
      } else expect([version.key, retention]).toEqual(['holdfast/held', undefined]);
    }
    expect(all.length).toBeGreaterThan(6);
    const { exit, json } = await run('check', '--lock');
    const needed = all.length - 1;
    expect([exit, json.repositories[0].findings]).toEqual([0, []]);
    expect(json.repositories[0].lock).toEqual({ needed, covered: needed });
  });

  /** A moment before anything was hidden. */
  let before = '';

  it('shows what somebody hid', async () => {
    const keyOf = async (prefix: string) => (await versions(prefix))[0]!.key;
    const [snapshot, pack, index] = [await keyOf('snapshots/'), await keyOf('data/'), await keyOf('index/')];
    before = new Date().toISOString();
    await hide(snapshot);
    await hide(pack);
    await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: `at/${index}`, Body: 'nothing' }));
    expect((await run('snapshots')).json.snapshots).toEqual([]);
    const found = await run('check', '--lock');
    expect(found.exit).toBe(1);
    const hidden = found.json.repositories[0].findings.filter(({ message }: { message: string }) =>
      message.startsWith('it is hidden'),
    );
    expect(hidden.map(({ where }: { where: string }) => where).sort()).toEqual([pack, index, snapshot].sort());
    const status = await run('status');
    expect(status.json.hidden).toEqual([{ repository: 'main', objects: [snapshot] }]);
  });

  it('is read past what somebody hid', async () => {
    expect((await run('snapshots', '--as-of', before)).json.snapshots).toHaveLength(1);
    const target = join(directory, 'as-of');
    expect(await run('restore', 'data', '--to', target, '--as-of', before)).toMatchObject({ exit: 0 });
    expect(readFileSync(join(target, directory, 'data', 'large')).equals(noise(100_000))).toBe(true);
    for (const command of [['check', '--read-data'], ['ls', 'latest'], ['verify']]) {
      expect([command, (await run(...command, '--as-of', before)).exit]).toEqual([command, 0]);
    }
    expect(await run('check', '--lock', '--as-of', before)).toMatchObject({ exit: 2 });
    const long = await run('snapshots', '--as-of', '2020-01-01T00:00:00Z');
    expect([long.exit, long.json.error.hint]).toEqual([10, expect.stringContaining('a later time')]);
  });

  it('is brought back by a repair', async () => {
    const repaired = await run('repair');
    expect([repaired.exit, repaired.json.repositories[0].healed.length]).toEqual([0, 3]);
    expect(await run('check', '--lock', '--read-data')).toMatchObject({ exit: 0 });
    stock('check', '--read-data');
  });

  it('is brought back whole when somebody deleted all of it, and not made anew', async () => {
    const before = (await versions('')).filter(({ isNewest, isMarker }) => isNewest && !isMarker);
    for (const { key } of before) await hide(key);
    const error = { code: 'repository-damaged', message: expect.stringContaining('somebody hid the configuration') };
    expect(await run('backup')).toMatchObject({ exit: 1, json: { sources: [{ error }] } });
    expect(await run('init')).toMatchObject({ exit: 1, json: { error: { code: 'repository-exists' } } });
    expect(await run('repair')).toMatchObject({ exit: 0, json: { repositories: [{ whole: true }] } });
    expect(await run('check', '--lock', '--read-data')).toMatchObject({ exit: 0 });
    stock('check', '--read-data');
  });

  it('has its credentials told what they lack, and what they should not have', async () => {
    const messages = async (plan: string) => {
      const { exit, json } = await runWith(plan, 'doctor');
      const findings: { level: string; about: string; message: string; mend?: { lines: string[] } }[] =
        json.repositories[0].findings;
      return { exit, told: findings.filter(({ about }) => about === 'permissions') };
    };
    expect(await messages('holdfast.yaml')).toMatchObject({
      exit: 0,
      told: [{ level: 'warning', message: expect.stringContaining('s3:BypassGovernanceRetention') }],
    });
    const body = '<Error><Code>AccessDenied</Code></Error>';
    const proxy = await startFaultyProxy(server.endpoint);
    proxy.rule = ({ method, path }) =>
      method === 'DELETE' || (method === 'PUT' && path.includes('retention'))
        ? { answer: { status: 403, body } }
        : undefined;
    try {
      writePlan('doctor.yaml', proxy.endpoint);
      const { exit, told } = await messages('doctor.yaml');
      expect(exit).toBe(4);
      expect(told.map(({ level, mend }) => [level, mend?.lines[0]])).toEqual([
        ['missing', `Allow the credentials s3:PutObjectRetention on ${bucket}.`],
        ['warning', `Allow the credentials s3:DeleteObject on ${bucket}.`],
      ]);
    } finally {
      await proxy.close();
    }
  });

  it('is backed up to by credentials that cannot delete, which leave nothing that binds', async () => {
    const proxy = await startFaultyProxy(server.endpoint);
    const body = '<Error><Code>AccessDenied</Code></Error>';
    proxy.rule = ({ method }) => (method === 'DELETE' ? { answer: { status: 403, body } } : undefined);
    try {
      writePlan('writer.yaml', proxy.endpoint);
      const { exit, json } = await runWith('writer.yaml', 'backup');
      expect([exit, json.locks[0].hidden, json.locks[0].error]).toEqual([0, [], undefined]);
      expect((await versions('locks/')).filter(({ isNewest, isMarker }) => isNewest && !isMarker)).toEqual([]);
      expect(new Set((await versions('holdfast/writers/')).map(({ key }) => key)).size).toBeGreaterThan(0);
      expect(await runWith('writer.yaml', 'retain')).toMatchObject({
        exit: 1,
        json: { error: { code: 'permission-denied' } },
      });
    } finally {
      await proxy.close();
    }
    expect(await run('retain')).toMatchObject({
      exit: 0,
      json: { sources: [{ held: [{ until: expect.any(String) }] }] },
    });
    expect(await versions('holdfast/writers/')).toEqual([]);
    stock('check');
  });
});
