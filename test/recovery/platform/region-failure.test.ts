import { Resolver } from 'node:dns/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { requires } from '../../support/requirements.ts';
import { Application } from '../region-failure/application.ts';
import { OLD_PASSWORD, Platform } from './platform.ts';

const isHere = requires('postgresql', 'redis', 'bind');

describe.skipIf(!isHere)('a region that fails behind a name', { timeout: 300_000 }, () => {
  let platform: Platform | undefined;
  let application: Application | undefined;
  afterEach(async () => {
    await application?.stop();
    await platform?.close();
  });

  it('is left for the other one, and clients write on by the name that they know', async () => {
    platform = await Platform.open({ 'for: 1h': 'for: 1s' });
    const { pair, redis, names, team } = platform;
    application = new Application({
      ...{ nameServer: `127.0.0.1:${names.port}`, name: 'db.omni.example', redisName: 'sessions.omni.example' },
      ...{ postgresPort: pair.primary.port, redisPort: redis.home.port },
      login: { user: 'application', password: OLD_PASSWORD },
    });
    await application.goesOn();
    await platform.backUp();
    await platform.killHome();
    const killedMs = Date.now();
    const [rowsBefore, keysBefore] = [application.acknowledged.length, application.acknowledgedByRedis.length];
    const { ran, view } = await team.recover(
      'region-failure',
      ['--since', new Date(killedMs).toISOString(), '--json'],
      // The runbook goes on behind the approval of persons alone.
      { go: () => expect(application?.acknowledged).toHaveLength(rowsBefore) },
    );
    expect(view.steps.flatMap(({ step, error }) => (error === undefined ? [] : [`${step}: ${error.message}`]))).toEqual(
      [],
    );
    expect(ran.exit, ran.stderr).toBe(3);
    expect(view.outcome).toBe('partial');
    expect(view.isRestored).toBe(true);
    // One name, one port: nobody told the application anything.
    await application.goesOn();
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${names.port}`]);
    expect(await resolver.resolveCname('db.omni.example')).toEqual(['db-eu.omni.example']);
    await application.stop();
    // What the standby had got counts; what it had not is no more than what came in the last moment before the kill.
    const there = new Set((await pair.standby.query('select id from writes')).map(({ id }) => String(id)));
    const lost = application.acknowledged.slice(0, rowsBefore).filter(({ id }) => !there.has(id));
    expect(application.acknowledged.length).toBeGreaterThan(rowsBefore);
    expect(application.acknowledgedByRedis.length).toBeGreaterThan(keysBefore);
    expect(application.acknowledged.slice(rowsBefore).every(({ id }) => there.has(id))).toBe(true);
    const promised = Number(view.steps.find(({ step }) => step === 'promote')?.outputs['lostMs']);
    for (const { atMs } of lost) expect(atMs).toBeGreaterThanOrEqual(killedMs - promised);
    // Everybody who backs it up goes there from the promotion on.
    const { sources } = JSON.parse((await team.run('status', '--json')).stdout);
    const moved = Object.fromEntries(sources.map(({ source: name, moved: to }: Record<string, unknown>) => [name, to]));
    expect(moved['omni-db']).toMatchObject({ to: 'the standby omni-db-eu of the plan' });
    expect(moved['sessions']).toMatchObject({ to: 'where OMNI_EU_REDIS_URL says' });
    const report = (await team.run('report', 'incident', view.id)).stdout;
    expect(report).toContain('Complete region failure');
    expect(report).toMatch(/RTO: [^|]*\|[^|]*\| [\d.]+ (ms|s|min)[^|]*\| yes/);
    expect(report).toMatch(/RPO: [^|]*\|[^|]*\| [\d.]+ (ms|s|min)[^|]*\| /);
    expect(report).toMatch(/what was lost: at most [\d.]+ (ms|s|min)/);
  });
});
