/** Drills with databases by the command line: what is kept, what a machine lacks, and what is left of one that is killed. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { document, environment, holdfast, initialise, startHoldfast, writePlan } from '../support/cli.ts';
import { startTestServer, type TestServer } from '../support/postgres.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

const RUNBOOKS = `
groups: { shop: { sources: [db, cache, files], order: [db, cache, files] } }
standbys: { eu: { of: db, url: "postgresql://living.invalid/shop" } }
runbooks:
  all-lost:
    scenario: All is lost
    objectives: { rto: 1h }
    params: { target: { required: true } }
    steps:
      - { id: restore, do: restore, group: shop, to: "\${target}" }
      - { id: verify, do: verify, sources: [db, cache, files] }
  failover:
    scenario: The server is gone
    drill: { kill: [db] }
    steps:
      - { id: promote, do: postgres.promote, standby: eu }
      - { id: hold, do: wait, for: 10m, drill: run }
  nothing:
    scenario: Nothing has happened
    steps: [{ id: said, do: note, text: "nothing is to be done" }]
`;

// biome-ignore lint/suspicious/noExplicitAny: each test says itself what it expects in it
const stepsOf = (drilled: any) => Object.fromEntries(drilled.steps.map((each: { step: string }) => [each.step, each]));

describe.skipIf(!requires('postgresql', 'pg_dump', 'redis'))('a drill with databases', { timeout: 180_000 }, () => {
  const [directory, temporary] = [testDirectory(), testDirectory()];
  let server: TestServer;
  let redis: RedisServer;
  let env: Record<string, string>;

  beforeAll(async () => {
    [server, redis] = await Promise.all([startTestServer(), RedisServer.start()]);
    const url = await server.createDatabase('shop');
    await server.query('shop', `create table customers as select generate_series(1, 100) as id, 'a name' as name`);
    await redis.call('SET', 'session:1', 'of somebody');
    mkdirSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data', 'a.txt'), 'what lives');
    env = environment({ DATABASE_URL: url, REDIS_URL: redis.url });
    const checks = '[{ name: customers, sql: "select count(*) = 100 from customers" }]';
    writePlan(
      directory,
      `  db: { type: postgres, url: { env: DATABASE_URL }, validate: ${checks} }
  cache: { type: redis, url: { env: REDIS_URL } }
  files: { type: files, paths: [${join(directory, 'data')}] }`,
      RUNBOOKS,
    );
    await initialise(directory);
    expect((await holdfast(directory, ['backup'], env)).exit).toBe(0);
  }, 180_000);
  afterAll(async () => {
    await Promise.all([server?.stop(), redis?.stop()]);
  });

  async function kindsInLedger(): Promise<string[]> {
    const { events } = document(await holdfast(directory, ['ledger', 'log', '--json'], env));
    return events.map(({ kind }: { kind: string }) => kind);
  }

  it('says that programs of the database are missing before anything is done', async () => {
    const bare = { ...env, HOLDFAST_POSTGRES_BIN: directory };
    for (const runbook of ['all-lost', 'failover']) {
      const { exit, stderr, stdout } = await holdfast(directory, ['drill', runbook, '--json'], bare);
      expect(exit, stderr).toBe(1);
      expect(JSON.parse(stdout).error).toMatchObject({
        code: 'program-missing',
        message: expect.stringMatching(/initdb/),
      });
    }
    expect(await kindsInLedger()).not.toContain('drill.started');
  });

  it('restores a group, finds what was changed in each source, and keeps what came back for as long as it is told', async () => {
    const ran = await holdfast(directory, ['drill', 'all-lost', '--keep', '1s', '--json'], env);
    const drilled = document(ran);
    expect([ran.exit, drilled.outcome], ran.stderr).toEqual([0, 'done']);
    const { summary } = stepsOf(drilled)['drill-control'];
    for (const found of ['a bit of a row of public.customers', 'the name of a key', 'restored files of files'])
      expect(summary).toContain(found);
    const { kept, until } = drilled.kept;
    const places = Object.fromEntries(kept.map(({ source, place }: Record<string, string>) => [source, place]));
    expect(places['cache']).toBeUndefined();
    expect(readFileSync(join(places['db'], 'data', 'PG_VERSION'), 'utf8')).toMatch(/^\d+/);
    expect(existsSync(places['files'])).toBe(true);
    const shown = await holdfast(directory, ['incident', 'show', drilled.id], env);
    expect(shown.stdout).toContain(places['db']);
    await pause(Math.max(0, Date.parse(until) + 1000 - Date.now()));
    await holdfast(directory, ['drill', 'nothing'], env);
    expect([existsSync(places['db']), existsSync(places['files'])]).toEqual([false, false]);
    expect(await kindsInLedger()).toContain('sandbox.removed');
  });

  it('that is killed leaves nothing, and the next one closes its record', async () => {
    // Where servers of another user may pass through.
    chmodSync(temporary, 0o755);
    const { child, done } = startHoldfast(directory, ['drill', 'failover'], { ...env, TMPDIR: temporary });
    let said = '';
    child.stderr!.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    await expect.poll(() => said, { timeout: 90_000 }).toContain('hold: running');
    expect(said).toContain('in an incident somebody is asked');
    const [, id = ''] = /drill ([0-9a-f]{8}) of failover/.exec(said) ?? [];
    expect(copiesIn(temporary).length).toBeGreaterThan(1);
    child.kill('SIGKILL');
    await done;
    await expect.poll(() => copiesIn(temporary), { timeout: 30_000 }).toEqual([]);
    const outcome = async () => {
      await holdfast(directory, ['drill', 'nothing'], env);
      return document(await holdfast(directory, ['incident', 'show', id, '--json'], env)).outcome;
    };
    await expect.poll(outcome, { timeout: 30_000, interval: 500 }).toBe('died');
  });
});

function copiesIn(temporary: string): string[] {
  return readdirSync(temporary).filter((name) => /^holdfast-[0-9a-f]{10}$/.test(name));
}
