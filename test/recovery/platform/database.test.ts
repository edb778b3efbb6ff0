import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serverDirectory } from '../../support/data-directory.ts';
import { requires } from '../../support/requirements.ts';
import { Application } from '../region-failure/application.ts';
import { OLD_PASSWORD, Platform } from './platform.ts';

const isHere = requires('postgresql', 'redis', 'bind');

describe.skipIf(!isHere)('a database, of which one backup is proven,', { timeout: 300_000 }, () => {
  let platform: Platform;
  let snapshot: string;
  beforeAll(async () => {
    platform = await Platform.open();
    snapshot = (await platform.protect()).snapshot;
  }, 300_000);
  afterAll(() => platform?.close());

  it('gets a table back that was deleted by accident, beside the rest, which goes on changing', async () => {
    const { pair, redis, names, team } = platform;
    const digest = `select md5(string_agg(customers::text, ',' order by id)) as digest from customers`;
    const before = await pair.primary.query(digest);
    const application = new Application({
      ...{ nameServer: `127.0.0.1:${names.port}`, name: 'db.omni.example', redisName: 'sessions.omni.example' },
      ...{ postgresPort: pair.primary.port, redisPort: redis.home.port },
      login: { user: 'application', password: OLD_PASSWORD },
    });
    await application.goesOn();
    const since = new Date().toISOString();
    await pause(10);
    await pair.primary.query(`drop table customers; insert into uploads values ('since then')`);
    const params = ['table=public.customers', 'as=customers_restored', 'target=env:OMNI_DATABASE_URL'];
    const { ran, view } = await team.recover(
      'accidental-deletion',
      ['--since', since, ...params.flatMap((each) => ['--param', each]), '--json'],
      { merge: () => pair.primary.query('alter table customers_restored rename to customers') },
    );
    expect(view.steps.flatMap(({ step, error }) => (error === undefined ? [] : [`${step}: ${error.message}`]))).toEqual(
      [],
    );
    expect(ran.exit, ran.stderr).toBe(0);
    expect(await pair.primary.query(digest)).toEqual(before);
    // Whoever may read and write it is as before.
    const [granted] = await pair.primary.query(
      `select has_table_privilege('application', 'customers', 'insert') as may`,
    );
    expect(granted).toEqual({ may: true });
    // Nothing else was altered: writes before, during and after are there, each of them.
    await application.goesOn();
    await application.stop();
    const there = new Set((await pair.primary.query('select id from writes')).map(({ id }) => String(id)));
    expect(application.acknowledged.filter(({ id }) => !there.has(id))).toEqual([]);
    const [began, ended] = [Date.parse(view.startedAt), Date.parse(view.endedAt!)];
    const during = application.acknowledged.filter(({ atMs }) => atMs > began && atMs < ended);
    expect(during.length).toBeGreaterThan(20);
    expect(await pair.primary.query('select path from uploads')).toEqual([{ path: 'since then' }]);
  });

  it('is taken back, once corrupted, to the last clean second, with nobody writing meanwhile, and protected again', async () => {
    const { pair, team, web } = platform;
    const target = join(await serverDirectory(), 'restored');
    const following = await platform.follow();
    const before = await pair.primary.query('select count(*)::int from writes');
    await pair.primary.query(`insert into writes values ('good')`);
    await following.caughtUp();
    const since = new Date(Date.now() + 1000).toISOString();
    await pause(2000);
    await pair.primary.query(`update customers set name = 'corrupted'; insert into writes values ('corrupt')`);
    await following.caughtUp();
    await following.stop();
    web.answers.set('/health', () => ({ status: platform.home === pair.primary ? 500 : 200 }));

    const { ran, view } = await team.recover(
      'database-corruption',
      ['--since', since, '--param', `target=${target}`, '--json'],
      { start: () => platform.replaceHome(target) },
    );
    expect(view.steps.flatMap(({ step, error }) => (error === undefined ? [] : [`${step}: ${error.message}`]))).toEqual(
      [],
    );
    expect(view.steps.filter(({ state }) => state !== 'done')).toEqual([]);
    expect(ran.exit, ran.stderr).toBe(0);
    const outputs = (step: string) => view.steps.find((each) => each.step === step)?.outputs;
    expect(outputs('scope')).toMatchObject({ differences: expect.any(Number) });
    expect(Number(outputs('scope')?.['differences'])).toBeGreaterThan(0);
    // Behind the backup, by its log: what was written until the moment before is there.
    expect(outputs('point')).toMatchObject({ snapshot });
    expect(await platform.home.query(`select id from writes where id in ('good', 'corrupt')`)).toEqual([
      { id: 'good' },
    ]);
    expect(await platform.home.query('select count(*)::int from writes')).toEqual([
      { count: Number(before[0]?.['count']) + 1 },
    ]);
    expect(await platform.home.query(`select from customers where name = 'corrupted'`)).toEqual([]);
    expect(outputs('verify')).toMatchObject({ outcome: 'passed' });
    expect(outputs('protect')).toMatchObject({ proven: true });
    const switched = web.asked.filter(({ path }) => path === '/maintenance').map(({ method }) => method);
    expect(switched).toEqual(['PUT', 'DELETE']);
    expect(view.rpoMs).toBeLessThan(60_000);
  });
});
