/** The plans of `examples/`, run as they are: only the places in their environment are of this machine. */

import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectRoot } from '../house/fixture-tree.ts';
import { initialise, PASSWORD } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { IS_EMULATOR, startFirestore, type TestFirestore } from '../support/firestore.ts';
import { bareRepository, commit } from '../support/git.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { SecretManagerServer } from '../support/secret-manager-server.ts';

describe('each example', () => {
  it.each([
    ['omni-enterprise.yaml', 7, []],
    ['omniflow.yaml', 1, []],
    ['omni.yaml', 8, []],
  ])('is a plan that can be used: %s', async (name, sources, warnings) => {
    const { exit, json } = await runHere(join(projectRoot, 'examples', name), 'plan', 'check');
    expect([exit, json.sources.length]).toEqual([0, sources]);
    expect(json.warnings.map(({ message }: { message: string }) => message)).toEqual(warnings);
  });

  it('is loaded here, whichever there is', () => {
    const plans = readdirSync(join(projectRoot, 'examples')).filter((name) => name !== 'coverage.yaml');
    expect(plans.sort()).toEqual(['omni-enterprise.yaml', 'omni.yaml', 'omniflow.yaml']);
  });

  it.each([
    ['omniflow.yaml', ['accidental-deletion', 'database-corruption', 'system-failure']],
    [
      'omni-enterprise.yaml',
      ['region-failure', 'accidental-deletion', 'database-corruption', 'security-breach', 'data-centre-failure'],
    ],
  ])('has runbooks that are all drilled, and end with a review: %s', async (name, runbooks) => {
    const { json } = await runHere(join(projectRoot, 'examples', name), 'plan', 'show');
    expect(Object.keys(json.runbooks)).toEqual(runbooks);
    for (const { steps } of Object.values<{ steps: { do: string; within?: string }[] }>(json.runbooks))
      expect(steps.at(-1)).toMatchObject({ do: 'review', within: '24h' });
  });

  it('names each source of the platform, where it is kept, and what belongs together', async () => {
    const { json } = await runHere(join(projectRoot, 'examples', 'omni.yaml'), 'plan', 'show');
    const types = Object.values(json.sources as Record<string, { type: string }>).map(({ type }) => type);
    expect(types).toEqual(['postgres', 'firestore', 'redis', 'files', 'files', 'files', 'git', 'secrets']);
    expect(json.repositories).toMatchObject({
      primary: { store: 's3://omni-backups/holdfast', lock: { mode: 'governance', for: '30d' } },
      eu: { store: 'gs://omni-backups-eu/holdfast', mirrorOf: 'primary' },
      archive: { storageClass: 'COLDLINE', copies: { sources: ['crm', 'omni-db'] } },
    });
    expect(json.groups.omni.order).toEqual(['omni-db', 'sessions', 'uploads']);
  });
});

const SOURCES = ['omni-db', 'sessions', 'uploads', 'logs', 'config', 'code', 'keys'];

describe.skipIf(!requires('postgresql', 'pg_dump', 'redis', 'git'))('the plan of a platform', () => {
  const directory = testDirectory();
  const secrets = new SecretManagerServer();
  let server: TestServer;
  let redis: RedisServer;
  const run = (...words: string[]) => runHere(join(projectRoot, 'examples', 'omni-enterprise.yaml'), ...words);

  beforeAll(async () => {
    [server, redis] = await Promise.all([
      startTestServer({ settings: { wal_level: 'replica', max_wal_senders: 5, max_replication_slots: 2 } }),
      RedisServer.start(),
      secrets.start(),
    ]);
    await server.createDatabase('omni');
    await server.query(
      'omni',
      `create table customers (id int); insert into customers values (1);
       create table uploads (path text); insert into uploads values ('invoice.pdf')`,
    );
    await redis.call('SET', 'session:1', 'of somebody');
    secrets.put('projects/omni/secrets/token', ['kept where secrets are']);
    const code = bareRepository();
    commit(code, 'refs/heads/main', { 'README.md': 'the code' });
    for (const name of ['uploads', 'logs', 'config']) mkdirSync(join(directory, name));
    for (const name of ['uploads/invoice.pdf', 'logs/today.log', 'config/omni.conf'])
      writeFileSync(join(directory, name), `of ${name}`);
    const variables = {
      ...{ HOLDFAST_PASSWORD: PASSWORD, OMNI_BACKUPS: join(directory, 'repository') },
      ...{ OMNI_DATABASE_URL: server.url('omni'), OMNI_REDIS_URL: redis.url, OMNI_CODE: code, OMNI_PROJECT: 'omni' },
      ...{ OMNI_UPLOADS: join(directory, 'uploads'), OMNI_LOGS: join(directory, 'logs') },
      ...{ OMNI_CONFIG: join(directory, 'config'), SECRET_MANAGER_EMULATOR_HOST: secrets.host },
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    await initialise(directory);
    return () => vi.unstubAllEnvs();
  });
  afterAll(async () => {
    secrets.stop();
    await Promise.all([server?.stop(), redis?.stop()]);
  });

  it('is backed up with every source that it names, and each of them is proven', async () => {
    const backup = await run('backup');
    expect(backup.json.sources.map(({ source, outcome }: Record<string, string>) => `${source} ${outcome}`)).toEqual(
      SOURCES.map((source) => `${source} complete`),
    );
    expect(backup.exit).toBe(0);
    const { exit, json } = await run('verify', 'logs', 'config', 'code', 'keys');
    expect(json.proofs.map(({ source, state }: Record<string, string>) => `${source} ${state}`)).toEqual([
      'logs proven',
      'config proven',
      'code proven',
      'keys proven',
    ]);
    expect(exit).toBe(0);
  });

  it('is proven as a group, with every upload that the database names', async () => {
    const { exit, json } = await run('verify', '--group', 'omni');
    expect(json.members).toMatchObject([
      { source: 'omni-db', proof: { state: 'proven' } },
      { source: 'sessions', proof: { state: 'proven' } },
      { source: 'uploads', proof: { state: 'proven' } },
    ]);
    expect(json.checks).toMatchObject([{ result: 'passed', detail: 'all 1 are among the files of uploads' }]);
    expect(exit).toBe(0);
  });

  it('has runbooks that are looked at beforehand: the way in is known, and what is missing is named', async () => {
    const { exit, json } = await run('recover', 'data-centre-failure', '--dry-run');
    const { steps } = (await run('plan', 'show')).json.runbooks['data-centre-failure'];
    expect(json.steps.map(({ step }: { step: string }) => step)).toEqual(steps.map(({ id }: { id: string }) => id));
    const missing = json.steps.flatMap(({ obstacles }: { obstacles: string[] }) => obstacles);
    const variables = ['OMNI_EU_DATABASE_URL', 'OMNI_EU_REDIS_URL', 'OMNI_HEALTH', 'OMNI_MAINTENANCE'];
    expect([...new Set(missing)].sort()).toEqual(
      variables.map((name) => `the environment variable ${name} is not set`),
    );
    expect(exit).toBe(4);
  });
});

describe('the plan of an application on Firestore', () => {
  const directory = testDirectory();
  let firestore: TestFirestore;
  // A copy: the recovery kit is written beside the plan.
  const run = (...words: string[]) => runHere(join(directory, 'omniflow.yaml'), ...words);

  beforeAll(async () => {
    copyFileSync(join(projectRoot, 'examples', 'omniflow.yaml'), join(directory, 'omniflow.yaml'));
    firestore = await startFirestore();
    const variables = {
      ...{ HOLDFAST_PASSWORD: PASSWORD, HOLDFAST_ARCHIVE_PASSWORD: PASSWORD },
      ...{ OMNIFLOW_BACKUPS: join(directory, 'repository'), OMNIFLOW_ARCHIVE: join(directory, 'archive') },
      ...{ OMNIFLOW_PROJECT: firestore.project, OMNIFLOW_PROOFS: `${firestore.project}-proofs` },
      FIRESTORE_EMULATOR_HOST: firestore.host,
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    await firestore.write({
      'companies/acme': {},
      'companies/acme/notes/1': {},
      'users/ada': {},
      'deals/1': {},
      'elsewhere/1': {},
    });
    expect((await run('init')).exit).toBe(0);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await firestore.close();
  });

  it('has nothing wrong or doubtful in it', async () => {
    const { exit, json } = await run('plan', 'check');
    expect([exit, json.sources, json.warnings]).toEqual([0, ['crm'], []]);
  });

  it.skipIf(IS_EMULATOR)('is backed up with the collections that it names, archived, and proven', async () => {
    const backup = await run('backup');
    expect([backup.exit, backup.json.sources[0].outcome]).toEqual([0, 'complete']);
    expect((await run('replicate', 'archive')).exit).toBe(0);
    expect((await run('snapshots', '--repository', 'archive')).json.snapshots).toHaveLength(1);
    const { exit, json } = await run('verify');
    expect(json.proofs[0].checks).toMatchObject([
      { name: 'documents companies', result: 'passed' },
      { name: 'documents companies/*/notes', result: 'passed' },
      { name: 'documents deals', result: 'passed' },
      { name: 'documents users', result: 'passed' },
      { name: 'validate: there are companies', result: 'passed' },
      { name: 'validate: there are users', result: 'passed' },
    ]);
    expect([exit, json.proofs[0].state]).toEqual([0, 'proven']);
  });
});
