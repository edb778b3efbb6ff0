import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Repository } from '../../src/repository/index.ts';
import { validateSecrets } from '../../src/source/secrets/validate.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { PASSWORD, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { ledgerOf, readFiles, testRepository, withReader } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { restic } from '../support/restic.ts';
import { SecretManagerServer } from '../support/secret-manager-server.ts';
import { SecretScan } from '../support/secret-scan.ts';

/** Values that can be told from anything else, with characters that programs write in other ways. */
const [OLD, NEW, DISABLED, FILE, MOUNTED, VARIABLE] = [
  'old/database+password "1"',
  'new/database+password "2"',
  'disabled-value-of-yesterday',
  'file=value of a\nconfiguration\n',
  'mounted?value&of=a container',
  "variable's value %20",
] as const;
const ALL = [OLD, NEW, DISABLED, FILE, MOUNTED, VARIABLE, PASSWORD];

describe('secrets', () => {
  /** The temporary directory of all that goes on here: what others have in theirs is not looked at. */
  const temporary = mkdtempSync(join(tmpdir(), 'secrets-'));
  const directory = mkdtempSync(join(temporary, 'omni-'));
  const server = new SecretManagerServer();
  const scan = new SecretScan(ALL);
  let repository: Repository;
  let targets = 0;

  beforeAll(async () => {
    await server.start();
    for (const [name, value] of Object.entries({
      HOLDFAST_PASSWORD: PASSWORD,
      SECRET_MANAGER_EMULATOR_HOST: server.host,
      OMNI_TOKEN: VARIABLE,
      XDG_CACHE_HOME: join(directory, 'cache'),
      TMPDIR: temporary,
    }))
      vi.stubEnv(name, value);
    repository = await testRepository(createLocalStore(join(directory, 'repository')));
    const labels = { app: 'omni' };
    server.put('projects/omni/secrets/database', [OLD, DISABLED, NEW], {
      ...{ labels, annotations: { owner: 'team a' }, versionAliases: { live: '3', previous: '1' } },
      replication: { userManaged: { replicas: [{ location: 'europe-west3' }, { location: 'europe-west4' }] } },
      topics: [{ name: 'projects/omni/topics/changes' }],
    });
    server.setState('projects/omni/secrets/database', 2, 'DISABLED');
    server.put('projects/omni/secrets/destroyed', ['x', 'y'], { labels });
    server.setState('projects/omni/secrets/destroyed', 1, 'DESTROYED');
    server.put('projects/omni/secrets/empty', []);
    server.put('projects/omni/secrets/binary', [Buffer.from([0, 255, 10, 13])]);
    server.put('projects/other/secrets/database', ['of another project']);
    mkdirSync(join(directory, 'mounted', '..data'), { recursive: true });
    writeFileSync(join(directory, 'env'), FILE);
    chmodSync(join(directory, 'env'), 0o640);
    writeFileSync(join(directory, 'mounted', '..data', 'token'), MOUNTED);
    symlinkSync('..data/token', join(directory, 'mounted', 'token'));
    plan();
  });
  afterAll(() => {
    server.stop();
    vi.unstubAllEnvs();
  });

  function plan(
    from = `{ gcp: { project: omni }, files: [${directory}/env], directory: ${directory}/mounted, env: [OMNI_TOKEN] }`,
    more = '',
  ): void {
    writePlan(directory, `  keys: { type: secrets, from: ${from}${more} }`);
  }

  /** Whatever a command says is looked at. */
  async function run(...words: string[]) {
    const ran = await runHere(join(directory, 'holdfast.yaml'), ...words);
    scan.text(ran.said, `what ${words[0]} said`);
    return ran;
  }

  const newTarget = (): string => join(directory, `target-${targets++}`);
  const inTarget = (target: string, path: string): string => readFileSync(join(target, path), 'utf8');
  const valuesIn = (project: string, name: string) => server.values(`projects/${project}/secrets/${name}`);

  it('come back, each in a file that its owner alone may read', async () => {
    scan.watchArguments();
    expect(await run('doctor')).toMatchObject({ exit: 0 });
    const { exit, json } = await run('backup');
    expect([exit, json.sources[0].outcome]).toEqual([0, 'complete']);
    expect(await run('verify')).toMatchObject({ exit: 0, json: { proofs: [{ state: 'proven', checksFailed: [] }] } });
    expect(await run('compare', 'keys')).toMatchObject({ exit: 0, json: { equal: true } });
    const target = newTarget();
    await run('restore', 'keys', '--to', target);
    const paths = {
      'gcp/omni/database/versions/1': OLD,
      'gcp/omni/database/versions/3': NEW,
      'env/OMNI_TOKEN': VARIABLE,
      [`files${directory}/env`]: FILE,
      [`files${directory}/mounted/token`]: MOUNTED,
    };
    for (const [path, value] of Object.entries(paths)) {
      expect(inTarget(target, path)).toBe(value);
      expect(statSync(join(target, path)).mode & 0o777).toBe(0o600);
      expect(statSync(join(target, path, '..')).mode & 0o777).toBe(0o700);
    }
    expect(readFileSync(join(target, 'gcp/omni/binary/versions/1'))).toEqual(Buffer.from([0, 255, 10, 13]));
    expect(JSON.parse(inTarget(target, 'gcp/omni/database/secret.json'))).toMatchObject({
      ...{ labels: { app: 'omni' }, annotations: { owner: 'team a' }, versionAliases: { live: '3' } },
      replication: { userManaged: { replicas: [{ location: 'europe-west3' }, { location: 'europe-west4' }] } },
      versions: [{ state: 'enabled' }, { version: '2', state: 'disabled' }, { state: 'enabled' }],
    });
    expect(() => statSync(join(target, 'gcp/omni/database/versions/2'))).toThrow('ENOENT');
    rmSync(target, { recursive: true });
  });

  it('are counted by their names at each recovery point, and backed up one by one where only some are wanted', async () => {
    const before = (await run('history', 'keys')).json.points[0];
    const counts = before.items.map(({ item, count }: { item: string; count: number }) => [item, count]);
    const named = Object.fromEntries(counts);
    expect(named).toMatchObject({ secrets: 8, 'gcp/omni/database': 2, 'gcp/omni/empty': 0, 'env/OMNI_TOKEN': 1 });
    expect(counts).toHaveLength(9);
    const part = await run('backup', 'keys', '--only', 'gcp/omni/database', '/env');
    const target = newTarget();
    await run('restore', 'keys', '--snapshot', part.json.sources[0].snapshot, '--to', target);
    const files = readdirSync(target, { recursive: true }).map(String);
    expect(files.filter((path) => statSync(join(target, path)).isFile()).sort()).toEqual([
      'env/OMNI_TOKEN',
      'gcp/omni/database/secret.json',
      'gcp/omni/database/versions/1',
      'gcp/omni/database/versions/3',
    ]);
    rmSync(target, { recursive: true });
    server.setState('projects/omni/secrets/database', 1, 'DISABLED');
    await run('backup');
    server.setState('projects/omni/secrets/database', 1, 'ENABLED');
    const { losses } = (await run('history', 'keys')).json;
    expect(losses).toMatchObject([
      { item: 'gcp/omni/database', kind: 'dropped', before: { count: 2, unit: 'versions' } },
    ]);
    await run('backup');
  });

  it('are told what differs, and never by what they are', async () => {
    server.put('projects/omni/secrets/added', ['added since']);
    vi.stubEnv('OMNI_TOKEN', `${VARIABLE} changed`);
    const { exit, json } = await run('compare', 'keys');
    expect(exit).toBe(4);
    expect(json.differences).toEqual([
      { item: 'env/OMNI_TOKEN', kind: 'content', detail: 'differs' },
      { item: 'gcp/omni/added/secret.json', kind: 'extra', detail: 'is not in the snapshot' },
      { item: 'gcp/omni/added/versions/1', kind: 'extra', detail: 'is not in the snapshot' },
    ]);
    server.remove('projects/omni/secrets/added');
    vi.stubEnv('OMNI_TOKEN', VARIABLE);
  });

  it('are made again in another project, with all their versions, and not twice', async () => {
    const restore = () => run('restore', 'keys', '--to', 'secretmanager://rescue');
    const first = await restore();
    expect(first).toMatchObject({ exit: 0, json: { outcome: 'complete', items: 5 } });
    expect(first.json.notes).toEqual(
      expect.arrayContaining([
        'database: made anew, version 1, 2 added',
        'database: its topics were not set: projects/omni/topics/changes',
        'database: versions without a value were not brought back: 2 (disabled)',
        'destroyed: versions without a value were not brought back: 1 (destroyed)',
        expect.stringContaining('3 files were left out'),
      ]),
    );
    expect(valuesIn('rescue', 'database')).toEqual([OLD, NEW]);
    expect(valuesIn('rescue', 'empty')).toEqual([]);
    expect(valuesIn('rescue', 'OMNI_TOKEN')).toEqual([VARIABLE]);
    expect(server.settings('projects/rescue/secrets/database')).toMatchObject({
      ...{ labels: { app: 'omni' }, annotations: { owner: 'team a' }, versionAliases: { live: '2', previous: '1' } },
      replication: { userManaged: { replicas: [{ location: 'europe-west3' }, { location: 'europe-west4' }] } },
    });
    expect(await run('compare', 'keys', '--with', 'secretmanager://rescue')).toMatchObject({ exit: 0 });
    expect((await restore()).json.items).toBe(0);
    expect(valuesIn('rescue', 'database')).toEqual([OLD, NEW]);
  });

  it('become the newest version again where another one is, and only those that are asked for', async () => {
    server.put('projects/rescue/secrets/database', [OLD, NEW, 'somebody else']);
    server.put('projects/rescue/secrets/OMNI_TOKEN', ['somebody else']);
    expect(await run('compare', 'keys', '--with', 'secretmanager://rescue')).toMatchObject({
      exit: 4,
      json: { differences: [{ item: 'secret OMNI_TOKEN' }, { item: 'secret database' }] },
    });
    await run('restore', 'keys', '--to', 'secretmanager://rescue', '--only', 'gcp/omni/database');
    expect(valuesIn('rescue', 'database')).toEqual([OLD, NEW, 'somebody else', NEW]);
    expect(valuesIn('rescue', 'OMNI_TOKEN')).toEqual(['somebody else']);
    const misspelt = await run(
      'restore',
      'keys',
      '--to',
      'secretmanager://misspelt',
      '--only',
      'env/*',
      'gcp/omni/datbase',
    );
    expect(misspelt).toMatchObject({ exit: 1, json: { error: { code: 'path-missing' } } });
    expect(misspelt.json.error.message).toMatch(/named by "gcp\/omni\/datbase"$/);
    expect(valuesIn('misspelt', 'OMNI_TOKEN')).toBeUndefined();
  });

  it('do not become versions of a secret that has the name of a variable', async () => {
    server.put('projects/omni/secrets/OMNI_TOKEN', ['of the secret']);
    await run('backup', 'keys');
    const both = await run('restore', 'keys', '--to', 'secretmanager://namesakes');
    server.remove('projects/omni/secrets/OMNI_TOKEN');
    expect(both).toMatchObject({ exit: 3, json: { outcome: 'partial', problems: [{ path: 'env/OMNI_TOKEN' }] } });
    expect(valuesIn('namesakes', 'OMNI_TOKEN')).toEqual(['of the secret']);
    expect(await run('compare', 'keys', '--with', 'secretmanager://namesakes')).toMatchObject({
      exit: 0,
      json: { notes: [expect.stringContaining('env/OMNI_TOKEN')] },
    });
    server.put('projects/omni/secrets/OMNI_TOKEN', [VARIABLE]);
    await run('backup', 'keys');
    server.remove('projects/omni/secrets/OMNI_TOKEN');
    expect((await run('restore', 'keys', '--to', 'secretmanager://alike')).exit).toBe(0);
    expect(valuesIn('alike', 'OMNI_TOKEN')).toEqual([VARIABLE]);
    await run('restore', 'keys', '--to', 'secretmanager://elsewhere', '--only', 'env/OMNI_TOKEN');
    expect(valuesIn('elsewhere', 'OMNI_TOKEN')).toEqual([VARIABLE]);
    await run('backup', 'keys');
  });

  it('go on where a restore was cut off', async () => {
    server.faults.push({
      method: 'addSecretVersion',
      code: status.ABORTED,
      resource: 'again/secrets/database',
      times: 1,
    });
    const cut = await run('restore', 'keys', '--to', 'secretmanager://again');
    expect(cut).toMatchObject({ exit: 3, json: { outcome: 'partial' } });
    expect(valuesIn('again', 'database')).toEqual([]);
    expect(valuesIn('again', 'OMNI_TOKEN')).toEqual([VARIABLE]);
    expect(await run('restore', 'keys', '--to', 'secretmanager://again')).toMatchObject({ exit: 0 });
    expect(valuesIn('again', 'database')).toEqual([OLD, NEW]);
    expect(await run('restore', 'keys', '--to', 'postgres://localhost/x')).toMatchObject({
      exit: 1,
      json: { error: { code: 'target-unsuitable' } },
    });
  });

  it('make a backup partial where one may not be read, and none where nothing may', async () => {
    server.faults.push({
      method: 'accessSecretVersion',
      code: status.PERMISSION_DENIED,
      resource: 'secrets/database/versions/3',
      times: 2,
    });
    expect((await run('doctor')).json).toMatchObject({ missing: 1 });
    const { exit, json } = await run('backup');
    expect([exit, json.sources[0].outcome]).toEqual([3, 'partial']);
    expect(json.sources[0].problems).toMatchObject([{ item: 'secret database', code: 'source-refused' }]);
    const target = newTarget();
    await run('restore', 'keys', '--to', target, '--only', 'gcp/omni');
    // All of a secret or nothing: its newest version would be a wrong one.
    expect(() => statSync(join(target, 'gcp/omni/database'))).toThrow('ENOENT');
    server.faults.push({ method: 'listSecrets', code: status.PERMISSION_DENIED, times: 1 });
    expect(await run('backup')).toMatchObject({
      exit: 1,
      json: { sources: [{ outcome: 'failed', error: { code: 'source-refused' } }] },
    });
    const places = {
      altered: '{ gcp: { project: omni, names: [database] } }',
      gone: '{ gcp: { project: omni, names: [binary, gone] } }',
      unset: '{ env: [NOT_SET] }',
      filtered: '{ gcp: { project: omni, filter: "labels.app=absent" } }',
    };
    const lines = Object.entries(places).map(([name, from]) => `  ${name}: { type: secrets, from: ${from} }`);
    writePlan(directory, lines.join('\n'));
    server.alters = true;
    const several = await run('backup');
    server.alters = false;
    expect(several.json.sources).toMatchObject([
      { source: 'altered', outcome: 'failed', error: { code: 'source-lost' } },
      { source: 'gone', outcome: 'failed' },
      { source: 'unset', outcome: 'failed', error: { code: 'path-missing' } },
      { source: 'filtered', outcome: 'complete', files: { new: 0 } },
    ]);
    plan();
    expect(await run('backup')).toMatchObject({ exit: 0 });
  });

  it('fail their proof where what came back is other, or open to others', async () => {
    const target = newTarget();
    await run('restore', 'keys', '--to', target);
    const failing = () =>
      withReader(repository, async (reader) =>
        (await validateSecrets(reader, target)).filter(({ result }) => result === 'failed'),
      );
    expect(await failing()).toEqual([]);
    chmodSync(join(target, 'env/OMNI_TOKEN'), 0o644);
    writeFileSync(join(target, 'gcp/omni/database/versions/3'), `${NEW.slice(0, -1)}3`);
    const failed = await failing();
    expect(failed.map(({ name, detail }) => `${name}: ${detail}`)).toEqual([
      'contents: gcp/omni/database/versions/3: content',
      'permissions: env/OMNI_TOKEN can be read by others',
    ]);
    scan.text(JSON.stringify(failed), 'a failed proof');
    rmSync(target, { recursive: true });
  });

  it('are what a reference in the plan may name', async () => {
    server.put('projects/omni/secrets/repository-password', ['wrong', PASSWORD], { versionAliases: { first: '1' } });
    const withPassword = (version: string): void => {
      plan('{ env: [OMNI_TOKEN] }');
      const path = join(directory, 'holdfast.yaml');
      const name = `projects/omni/secrets/repository-password/versions/${version}`;
      writeFileSync(path, readFileSync(path, 'utf8').replace('{ env: HOLDFAST_PASSWORD }', `{ gcp: ${name} }`));
    };
    withPassword('latest');
    expect(await run('plan', 'check')).toMatchObject({ exit: 0 });
    expect(await run('snapshots')).toMatchObject({ exit: 0 });
    withPassword('first');
    expect(await run('snapshots')).toMatchObject({ exit: 12 });
    withPassword('9');
    expect(await run('doctor')).toMatchObject({ exit: 4, json: { missing: 1 } });
    const { exit, said } = await run('snapshots');
    expect([exit, said]).toEqual([
      1,
      expect.stringContaining('the secret projects/omni/secrets/repository-password/versions/9 cannot be read'),
    ]);
  });

  it('are read by stock restic, a file for each version', async () => {
    if (!requires('restic')) return;
    plan();
    const { json } = await run('backup');
    const dumped = restic(join(directory, 'repository'), [
      'dump',
      json.sources[0].snapshot,
      '/data/gcp/omni/database/versions/3',
    ]);
    expect(dumped.output).toBe(NEW);
  });

  it('stand nowhere in clear: not in outputs, manifests, the ledger, the repository, caches, scratch or arguments', async () => {
    expect(scan.stopWatching()).toBeGreaterThan(5);
    const manifests = [...(await readFiles(repository))].filter(([path]) => path.startsWith('.holdfast'));
    expect(manifests).toHaveLength(1);
    for (const [path, content] of manifests) scan.text(content, path);
    const events = await ledgerOf(repository).read();
    expect(events.length).toBeGreaterThan(10);
    scan.text(JSON.stringify(events), 'the ledger');
    const kept = ['env', 'mounted', ...Array.from({ length: targets }, (_, index) => `target-${index}`)];
    scan.directory(
      temporary,
      kept.map((name) => join(directory, name)),
    );
    expect(scan.sightings).toEqual([]);
  });

  it('cannot be guessed by the id of a tree or a digest that is shown', async () => {
    const tree = async (value: string, name: string) => {
      const other = await testRepository(createLocalStore(join(directory, name)));
      vi.stubEnv('OMNI_TOKEN', value);
      writePlan(directory, `  keys: { type: secrets, from: { env: [OMNI_TOKEN] } }`);
      const path = join(directory, 'holdfast.yaml');
      writeFileSync(path, readFileSync(path, 'utf8').replace('./repository', `./${name}`));
      await run('backup');
      const manifest = JSON.parse((await readFiles(other)).get('.holdfast/manifest.json')!.toString());
      const data = await withReader(other, async (reader) => (await reader.find('/data'))?.subtree);
      return [manifest.details.digest, data];
    };
    const [digest, data] = await tree('1234', 'guess-1');
    const [otherDigest, otherData] = await tree('1234', 'guess-2');
    expect(digest).not.toBe(otherDigest);
    expect(data).not.toBe(otherData);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });
});
