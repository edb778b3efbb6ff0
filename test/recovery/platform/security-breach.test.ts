import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { serverDirectory } from '../../support/data-directory.ts';
import { queryOnce } from '../../support/postgres-pair.ts';
import { requires } from '../../support/requirements.ts';
import { OLD_PASSWORD, Platform, SECRETS } from './platform.ts';

const isHere = requires('postgresql', 'redis', 'bind');
const HOURS_MS = 3_600_000;

describe.skipIf(!isHere)('a security breach', { timeout: 120_000 }, () => {
  let platform: Platform | undefined;
  afterEach(() => platform?.close());

  it('ends with every old credential dead, and with the last clean data, which are not the newest', async () => {
    platform = await Platform.open({
      'do: isolate, source: omni-db, allow: [127.0.0.1]': 'do: isolate, exec: [./cut-off]',
    });
    const { pair, redis, secrets, team } = platform;
    const clean = await platform.protect();
    // The intruder: rows, a way to come back, and a backup that has both.
    await pair.primary.query(
      `insert into customers values (666, 'of the intruder'); create role intruder superuser login`,
    );
    const tainted = await platform.protect();
    await platform.suspect(tainted.snapshot);
    const since = new Date().toISOString();
    const inside = new pg.Client({
      connectionString: pair.primary.url('postgres', `application:${OLD_PASSWORD}`),
    });
    const ended = new Promise((resolve) => inside.on('error', resolve));
    await inside.connect();
    const target = join(await serverDirectory(), 'restored');

    const { ran, view } = await team.recover(
      'security-breach',
      ['--since', since, '--param', `target=${target}`, '--param', 'url=env:OMNI_DATABASE_URL', '--json'],
      {
        start: async () => {
          await ended;
          await platform!.replaceHome(target);
        },
        // What the runbook asks a person for: the application gets in again, by what the secret says by then.
        resume: () => redis.home.call('ACL', 'SETUSER', 'application', 'on'),
      },
    );
    expect(view.steps.flatMap(({ step, error }) => (error === undefined ? [] : [`${step}: ${error.message}`]))).toEqual(
      [],
    );
    expect(view.steps.filter(({ state }) => state !== 'done')).toEqual([]);
    expect(ran.exit, ran.stderr).toBe(0);
    const newest = (secret: string): string => secrets.values(secret)!.at(-1)!;
    const outputs = (step: string) => view.steps.find((each) => each.step === step)?.outputs;

    // The last clean point, and why it is not the newest.
    expect(outputs('point')).toMatchObject({
      snapshot: clean.snapshot,
      reason: expect.stringContaining('passed over: suspect'),
    });
    expect(outputs('restore')).toMatchObject({ snapshot: clean.snapshot, target });
    const rows = await platform.home.query('select count(*)::int from customers where id = 666');
    expect(rows).toEqual([{ count: 0 }]);
    expect(await platform.home.query(`select from pg_roles where rolname = 'intruder'`)).toEqual([]);
    expect(readFileSync(join(platform.directory, 'revoked.log'), 'utf8')).toBe('revoked --all\n');

    // Old credentials are dead, the new ones are where the plan says, and work.
    const logIn = (password: string) =>
      queryOnce(platform!.home.url('postgres', `application:${password}`), 'select count(*)::int from customers');
    await expect(logIn(OLD_PASSWORD)).rejects.toThrow('password authentication failed');
    expect(await logIn(newest(SECRETS.database))).toEqual([{ count: 200 }]);
    await expect(redis.home.call('AUTH', 'application', OLD_PASSWORD)).rejects.toThrow('refused the login');
    expect(await redis.home.text('AUTH', 'application', newest(SECRETS.sessions))).toBe('OK');

    // Two persons opened it again; what restores itself is protected, and the clock of the authority runs.
    expect(outputs('protect')).toMatchObject({ proven: true });
    expect(team.questions.map((each) => each.split(':')[0])).toEqual(
      expect.arrayContaining(['start', 'patch', 'audit', 'go', 'resume']),
    );
    expect(Date.parse(view.breach!.reportBy) - Date.parse(since)).toBe(72 * HOURS_MS);
    const report = (await team.run('report', 'incident', view.id)).stdout;
    for (const said of ['Security breach', 'application', 'person-0', 'person-1']) expect(report).toContain(said);
    for (const secret of [OLD_PASSWORD, newest(SECRETS.database), newest(SECRETS.sessions)])
      expect(`${ran.stdout}${ran.stderr}${report}`).not.toContain(secret);
  });
});
