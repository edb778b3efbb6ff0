import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { requires } from '../../support/requirements.ts';
import { Application } from '../region-failure/application.ts';
import { OLD_PASSWORD, Platform } from './platform.ts';

const isHere = requires('postgresql', 'redis', 'bind');

describe.skipIf(!isHere)('a table that is deleted by accident', { timeout: 120_000 }, () => {
  let platform: Platform | undefined;
  let application: Application | undefined;
  afterEach(async () => {
    await application?.stop();
    await platform?.close();
  });

  it('comes back beside the rest, which goes on changing meanwhile', async () => {
    platform = await Platform.open();
    const { pair, redis, names, team } = platform;
    await platform.protect();
    const digest = `select md5(string_agg(customers::text, ',' order by id)) as digest from customers`;
    const before = await pair.primary.query(digest);
    application = new Application({
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
    // Nothing else was altered, and nobody had to wait: writes before, during and after are there, each of them.
    await application.goesOn();
    await application.stop();
    const there = new Set((await pair.primary.query('select id from writes')).map(({ id }) => String(id)));
    expect(application.acknowledged.filter(({ id }) => !there.has(id))).toEqual([]);
    const [began, ended] = [Date.parse(view.startedAt), Date.parse(view.endedAt!)];
    const during = application.acknowledged.filter(({ atMs }) => atMs > began && atMs < ended);
    expect(during.length).toBeGreaterThan(20);
    const longestMs = Math.max(...during.map(({ atMs }, index) => atMs - (during[index - 1]?.atMs ?? began)));
    expect(longestMs).toBeLessThan(5000);
    expect(await pair.primary.query('select path from uploads')).toEqual([{ path: 'since then' }]);
  });
});
