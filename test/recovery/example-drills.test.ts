/** The runbooks of `examples/`, drilled as they are: only the places in their environment are of this machine. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectRoot } from '../house/fixture-tree.ts';
import { initialise, PASSWORD } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { IS_EMULATOR, startFirestore, type TestFirestore } from '../support/firestore.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

/** Counts who comes to the places of a plan that a drill has no business with. */
class Endpoints {
  connections = 0;
  readonly #server = createServer((socket) => {
    this.connections++;
    socket.destroy();
  });

  async open(): Promise<number> {
    await new Promise<void>((resolve) => void this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as { port: number }).port;
  }

  close(): void {
    this.#server.close();
  }
}

describe.skipIf(!requires('postgresql', 'redis'))('drills of a platform with databases', { timeout: 240_000 }, () => {
  const directory = testDirectory();
  const endpoints = new Endpoints();
  let server: TestServer;
  let redis: RedisServer;
  const run = (...words: string[]) => runHere(join(projectRoot, 'examples', 'omni-enterprise.yaml'), ...words);

  /** What the living servers themselves say: how often somebody came, and what they have. */
  async function living() {
    const [sessions] = await server.query('omni', 'select sum(sessions)::int as count from pg_stat_database');
    const rows = await server.query('omni', 'select md5(string_agg(c::text, $$,$$)) from customers c');
    const told = await redis.text('INFO', 'stats');
    const came = Number(/total_connections_received:(\d+)/.exec(told)?.[1]);
    return { rows, keys: await redis.call('MGET', 'session:1'), postgres: Number(sessions?.['count']), redis: came };
  }

  beforeAll(async () => {
    const port = await endpoints.open();
    [server, redis] = await Promise.all([
      startTestServer({ settings: { wal_level: 'replica', max_wal_senders: 5, max_replication_slots: 2 } }),
      RedisServer.start(),
    ]);
    await server.createDatabase('omni');
    await server.query(
      'omni',
      `create role application login; create table customers as select generate_series(1, 100) as id;
       create table uploads (path text); insert into uploads values ('invoice.pdf')`,
    );
    await redis.call('SET', 'session:1', 'of somebody');
    mkdirSync(join(directory, 'uploads'));
    writeFileSync(join(directory, 'uploads', 'invoice.pdf'), 'an invoice');
    const http = `http://127.0.0.1:${port}`;
    const variables = {
      ...{ HOLDFAST_PASSWORD: PASSWORD, OMNI_BACKUPS: join(directory, 'repository') },
      ...{ OMNI_DATABASE_URL: server.url('omni'), OMNI_REDIS_URL: redis.url, OMNI_UPLOADS: join(directory, 'uploads') },
      ...{ OMNI_EU_DATABASE_URL: `postgresql://living@127.0.0.1:${port}/omni`, OMNI_DNS: `127.0.0.1:${port}` },
      ...{ OMNI_EU_REDIS_URL: `redis://127.0.0.1:${port}`, OMNI_MAINTENANCE: http, OMNI_HEALTH: http },
      ...{ OMNI_PROMETHEUS: http, OMNI_DNS_KEY: 'c2VjcmV0' },
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    await initialise(directory);
    expect((await run('backup', 'omni-db', 'sessions')).exit).toBe(0);
    expect((await run('verify', 'omni-db')).exit).toBe(0);
  }, 180_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    endpoints.close();
    await Promise.all([server?.stop(), redis?.stop()]);
  });

  /** Drills a runbook, and looks whether what lives has noticed. @returns its steps by their ids */
  // biome-ignore lint/suspicious/noExplicitAny: each test says itself what it expects in it
  async function drilled(runbook: string): Promise<Record<string, any>> {
    const before = await living();
    const { exit, json, said } = await run('drill', runbook);
    const after = await living();
    expect([exit, json.outcome], said).toEqual([0, 'done']);
    expect([after.rows, after.keys]).toEqual([before.rows, before.keys]);
    // These looks themselves are two sessions each.
    expect([after.postgres - before.postgres, after.redis - before.redis]).toEqual([2, 0]);
    expect(endpoints.connections).toBe(0);
    return Object.fromEntries(json.steps.map((each: { step: string }) => [each.step, each]));
  }

  const FOUND = /verification found it: a bit of each pack of .*a bit of a row of public\.(customers|uploads)/;

  it('region-failure: the copy of the primary is killed, and those that follow take over', async () => {
    const steps = await drilled('region-failure');
    expect(steps['drill-faults'].summary).toMatch(/the server of omni-db is killed; the server of sessions is killed/);
    expect(steps['fence']).toMatchObject({ state: 'done', outputs: { pending: true, proven: false } });
    expect(steps['promote']).toMatchObject({ state: 'done', outputs: { timeline: 3 } });
    expect(steps['promote'].summary).toMatch(/in an incident somebody is asked: Promote/);
    expect(steps['promote-sessions']).toMatchObject({ state: 'done', outputs: { pending: true } });
    expect(steps['verify-data'].summary).toMatch(/omni-db at the standby omni-db-eu passed \d+ checks/);
    expect(steps['dns'].state).toBe('skipped');
    expect(steps['drill-control'].summary).toMatch(FOUND);
    expect(steps['drill-control'].summary).toContain('the name of a key of database 0');
  });

  it('database-corruption: the clean point is recovered, served, verified and queried', async () => {
    const steps = await drilled('database-corruption');
    expect(steps['restore'].outputs.url).toMatch(/^postgresql:/);
    expect(steps['restore'].outputs.bytes).toBeGreaterThan(0);
    // The contents, and the plan's own query.
    expect(steps['verify'].summary).toMatch(/passed 2 checks/);
    expect(existsSync(steps['restore'].outputs.target)).toBe(false);
    expect(steps['drill-control'].summary).toMatch(FOUND);
  });

  it('security-breach: the last clean point is recovered', async () => {
    const steps = await drilled('security-breach');
    expect(steps['restore'].state).toBe('done');
    expect(steps['drill-control'].summary).toMatch(FOUND);
  });

  it('data-centre-failure: over and back again, and the old primary has what the new one wrote', async () => {
    const steps = await drilled('data-centre-failure');
    expect(steps['reseed'].summary).toMatch(/was rewound to the new primary/);
    expect(steps['fence-eu']).toMatchObject({ state: 'done', outputs: { proven: true, pending: false } });
    expect(steps['promote-home']).toMatchObject({ state: 'done', outputs: { timeline: 4, lostBytes: 0 } });
    expect(steps['promote-sessions-home'].state).toBe('done');
    expect(steps['drill-control'].summary).toMatch(FOUND);
  });
});

describe('drills of an application on Firestore', { timeout: 120_000 }, () => {
  const directory = testDirectory();
  const endpoints = new Endpoints();
  let firestore: TestFirestore;
  const run = (...words: string[]) => runHere(join(projectRoot, 'examples', 'omniflow.yaml'), ...words);

  beforeAll(async () => {
    firestore = await startFirestore();
    const http = `http://127.0.0.1:${await endpoints.open()}`;
    const variables = {
      ...{ HOLDFAST_PASSWORD: PASSWORD, HOLDFAST_ARCHIVE_PASSWORD: PASSWORD },
      ...{ OMNIFLOW_BACKUPS: join(directory, 'repository'), OMNIFLOW_ARCHIVE: join(directory, 'archive') },
      ...{ OMNIFLOW_PROJECT: firestore.project, OMNIFLOW_PROOFS: `${firestore.project}-proofs` },
      ...{ OMNIFLOW_MAINTENANCE: http, OMNIFLOW_HEALTH: http, OMNIFLOW_STATUS_PAGE: http, SMTP_URL: http },
      ...{ FIRESTORE_EMULATOR_HOST: firestore.host, OMNIFLOW_STATUS_SECRET: 'x', PAGERDUTY_KEY: 'x' },
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    await firestore.write({ 'companies/acme': {}, 'companies/acme/notes/1': {}, 'users/ada': {}, 'deals/1': {} });
    await initialise(directory);
    expect((await run('backup')).exit).toBe(0);
    expect((await run('verify')).exit).toBe(0);
  }, 180_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    endpoints.close();
    await firestore.close();
  });

  it.skipIf(IS_EMULATOR).each([
    ['accidental-deletion', ['--param', 'collection=/companies']],
    ['database-corruption', []],
    ['system-failure', []],
  ])('%s', async (runbook, words) => {
    const { exit, json, said } = await run('drill', runbook, ...words);
    expect([exit, json.outcome], said).toEqual([0, 'done']);
    expect(endpoints.connections).toBe(0);
    const steps = Object.fromEntries(json.steps.map((each: { step: string }) => [each.step, each]));
    expect(steps['restore']).toMatchObject({ state: 'done', outputs: { url: expect.stringContaining('-proofs/') } });
    expect(steps['verify']?.state ?? 'done').toBe('done');
    expect(steps['drill-control'].summary).toMatch(/verification found it: a bit of each pack of crm/);
  });
});
