import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { serverDirectory } from '../../support/data-directory.ts';
import { requires } from '../../support/requirements.ts';
import { Platform } from './platform.ts';

const isHere = requires('postgresql', 'redis', 'bind');

describe.skipIf(!isHere)('a database that is corrupted', { timeout: 120_000 }, () => {
  let platform: Platform | undefined;
  afterEach(() => platform?.close());

  it('is taken back to the last clean second, with nobody writing meanwhile, and protected again', async () => {
    platform = await Platform.open();
    const { pair, team, web } = platform;
    const { snapshot } = await platform.protect();
    const target = join(await serverDirectory(), 'restored');
    const following = await platform.follow();
    await pair.primary.query(`insert into writes values ('good')`);
    await following.caughtUp();
    const since = new Date(Date.now() + 1000).toISOString();
    await pause(2000);
    await pair.primary.query(`update customers set name = 'corrupted'; insert into writes values ('corrupt')`);
    await following.caughtUp();
    await following.stop();
    web.answers.set('/health', () => ({ status: platform!.home === pair.primary ? 500 : 200 }));

    const { ran, view } = await team.recover(
      'database-corruption',
      ['--since', since, '--param', `target=${target}`, '--json'],
      { start: () => platform!.replaceHome(target) },
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
    expect(await platform.home.query('select id from writes')).toEqual([{ id: 'good' }]);
    expect(await platform.home.query(`select from customers where name = 'corrupted'`)).toEqual([]);
    expect(outputs('verify')).toMatchObject({ outcome: 'passed' });
    expect(outputs('protect')).toMatchObject({ proven: true });
    const switched = web.asked.filter(({ path }) => path === '/maintenance').map(({ method }) => method);
    expect(switched).toEqual(['PUT', 'DELETE']);
    expect(view.rpoMs).toBeLessThan(60_000);
  });
});
