import { afterEach, describe, expect, it } from 'vitest';
import { fenceReturned } from '../../../src/recovery/index.ts';
import { until } from '../../support/followed.ts';
import { queryOnce } from '../../support/postgres-pair.ts';
import { requires } from '../../support/requirements.ts';
import { OLD_PASSWORD, Platform } from './platform.ts';

const signal = new AbortController().signal;
const isHere = requires('postgresql', 'redis', 'bind');

describe.skipIf(!isHere)('a data centre that fails', { timeout: 120_000 }, () => {
  let platform: Platform | undefined;
  afterEach(() => platform?.close());

  it('is left for the other one, protected again there, and gone back to with all that was written since', async () => {
    platform = await Platform.open({ 'for: 1h': 'for: 1s' });
    const { pair, redis, team, web } = platform;
    const write = (server: { url(database: string): string }, id: string) =>
      queryOnce(server.url('postgres'), `insert into writes values ('${id}')`);
    await write(pair.primary, 'before');
    await redis.home.call('SET', 'before', '1');
    await until(async () => (await redis.away.text('GET', 'before')) === '1');
    await until(async () => (await pair.standby.query('select id from writes')).length === 1);
    await team.document('backup', 'omni-db', 'sessions');
    await platform.killHome();
    const since = new Date().toISOString();

    const { ran, view } = await team.recover(
      'data-centre-failure',
      ['--since', since, '--param', `directory=${pair.primary.directory}`, '--json'],
      {
        'plan-back': async () => {
          await write(pair.standby, 'away');
          await redis.away.call('SET', 'away', '1');
          await redis.home.run();
          // It has come back with an empty memory, and takes what no other server will know, until it is seen.
          await redis.home.call('SET', 'of nobody', '1');
          const workspace = await team.workspace();
          expect(await fenceReturned(workspace, signal)).toMatchObject([{ source: 'sessions' }]);
          await expect(redis.home.call('SET', 'of nobody', '2')).rejects.toThrow('NOREPLICAS');
          expect(await redis.home.text('GET', 'of nobody')).toBe('1');
          expect(await fenceReturned(workspace, signal)).toEqual([]);
        },
        'start-back': async () => {
          await pair.primary.start();
          await until(async () => (await pair.standby.query('select from pg_stat_replication')).length === 1);
        },
        'go-back': async () => {
          await write(pair.standby, 'last moment');
          await redis.away.call('SET', 'last moment', '1');
        },
      },
    );
    // The old primary was out of reach when it was to be fenced: that stays said.
    const failed = view.steps.flatMap(({ step, error }) => (error === undefined ? [] : [`${step}: ${error.message}`]));
    expect(failed).toEqual([]);
    expect(view.steps.filter(({ state }) => state !== 'done').map(({ step, state }) => `${step} ${state}`)).toEqual([
      'fence partial',
      'promote-sessions partial',
    ]);
    expect(ran.exit, ran.stderr).toBe(3);
    // People were asked before a standby took over from what nobody could fence, and not on the way back.
    const asked = team.questions.map((each) => each.slice(0, each.indexOf(':')));
    expect(asked.sort()).toEqual(['go-back', 'plan-back', 'promote', 'promote-sessions', 'start-back']);
    const outputs = (step: string) => view.steps.find((each) => each.step === step)?.outputs;
    expect(outputs('promote-home')).toMatchObject({ timeline: 3, lostMs: 0, lostBytes: 0 });
    expect(outputs('promote-sessions-home')).toMatchObject({ lostMs: 0, pending: false });
    expect([outputs('protect')?.['proven'], outputs('protect-home')?.['proven']]).toEqual([true, true]);

    // Home is where the writes go again, with every one of them; the other data centre follows.
    const ids = (await pair.primary.query('select id from writes order by id')).map(({ id }) => id);
    expect(ids).toEqual(['away', 'before', 'last moment']);
    expect((await redis.home.call('KEYS', '*')) as unknown[]).toHaveLength(3);
    await redis.home.call('SET', 'home', '1');
    await until(async () => (await redis.away.text('GET', 'home')) === '1');
    await queryOnce(pair.primary.url('postgres', `application:${OLD_PASSWORD}`), `insert into writes values ('home')`);
    await expect(write(pair.standby, 'no')).rejects.toThrow('fenced_by_holdfast');
    expect(web.asked.filter(({ path }) => path === '/maintenance').map(({ method }) => method)).toEqual([
      'PUT',
      'DELETE',
    ]);
    const { sources } = await team.document('status').catch((error: Error) => ({ sources: error.message }));
    expect(JSON.stringify(sources)).not.toContain('"moved"');
  });
});
