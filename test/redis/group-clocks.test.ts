/** A group whose server has another clock than Holdfast. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { adapters } from '../../src/main/adapters.ts';
import { type GroupPoint, groupPoints } from '../../src/operations/groups/group-points.ts';
import { backup, follow, restoreGroup, status, Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { PASSWORD, writePlan } from '../support/cli.ts';
import { until } from '../support/followed.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testDirectory, testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';

/** By so much the clock of the server is ahead of Holdfast's. */
const AHEAD_MS = 3_600_000;
/** A clock is known to half of the shortest round trip, which is long on a machine with much to do. */
const KNOWN_TO_MS = 100;
const SETTINGS = {
  ...{ everyMs: 200, foldAfterMs: 60_000, foldAfterBytes: 1e9, scanEveryMs: 3_600_000 },
  ...{ warnRetainedBytes: 1e9, releaseRetainedBytes: 1e9, lookEveryMs: 10_000 },
};

describe.skipIf(!requires('redis'))('a group whose server has a clock that is ahead', { timeout: 60_000 }, () => {
  const directory = testDirectory();
  const data = join(directory, 'data');
  const clock = { nowMs: () => Date.now() - AHEAD_MS, monotonicMs: systemClock.monotonicMs };
  let server: RedisServer;
  let target: RedisServer;

  async function workspace(signal = new AbortController().signal): Promise<Workspace> {
    const variables = { HOLDFAST_PASSWORD: PASSWORD, REDIS_URL: server.url };
    const environment = { clock, variables, signal, adapters, version: '0.0.0', progress: () => noProgress };
    return new Workspace(await loadPlan({ cwd: directory, env: {} }), environment);
  }

  beforeAll(async () => {
    [server, target] = await Promise.all([RedisServer.start(), RedisServer.start()]);
    mkdirSync(data);
    writePlan(
      directory,
      `  cache: { type: redis, url: { env: REDIS_URL }, stream: true }
  files: { type: files, paths: [${data}] }`,
      'groups: { both: { sources: [cache, files] } }',
    );
    await testRepository(createLocalStore(join(directory, 'repository')));
  });
  afterAll(() => Promise.all([server.stop(), target.stop()]));

  it('comes back to a moment by the clock of Holdfast, which is another one by that of the server', async () => {
    writeFileSync(join(data, 'file'), 'before');
    expect(await backup(await workspace(), ['files'])).toMatchObject([{ outcome: 'complete' }]);
    const aborter = new AbortController();
    const following = follow(await workspace(aborter.signal), ['cache'], SETTINGS);
    const cache = async () => (await status(await workspace())).sources[0]!;
    await until(async () => (await cache()).snapshots > 0);
    await server.call('SET', 'key', 'before');
    await sleep(2 * KNOWN_TO_MS);
    const atMs = clock.nowMs();
    await sleep(2 * KNOWN_TO_MS);
    await server.call('SET', 'key', 'after');
    writeFileSync(join(data, 'file'), 'after');
    expect(await backup(await workspace(), ['files'])).toMatchObject([{ outcome: 'complete' }]);
    const setMs = Date.now();
    await until(async () => Date.parse((await cache()).log?.time ?? '') > setMs);
    aborter.abort();
    await following;

    const at = new Date(atMs).toISOString();
    const to = [join(directory, 'back'), `cache=${target.url}`];
    const restored = await restoreGroup(await workspace(), { group: 'both', at, to });
    expect(restored.members).toMatchObject([{ outcome: 'complete' }, { outcome: 'complete' }]);
    expect(await target.text('GET', 'key')).toBe('before');
    expect(readFileSync(join(directory, 'back', 'files', data, 'file'), 'utf8')).toBe('before');
    const [{ point: cachePoint }, { point: filesPoint }] = restored.members as [
      (typeof restored.members)[number],
      (typeof restored.members)[number],
    ];
    expect(Math.abs(cachePoint!.clockOffsetMs! - AHEAD_MS)).toBeLessThan(KNOWN_TO_MS);
    expect(Math.abs(Date.parse(cachePoint!.at!) - AHEAD_MS - atMs)).toBeLessThan(KNOWN_TO_MS);
    // Each by the clock of Holdfast.
    for (const { time, skewMs } of [cachePoint!, filesPoint!]) expect(skewMs).toBe(atMs - Date.parse(time));
    expect([0, 1]).toContain(cachePoint!.skewMs);
    expect(filesPoint!.skewMs).toBeGreaterThan(2 * KNOWN_TO_MS);
    expect(restored.skewMs).toBe(filesPoint!.skewMs);

    // Behind the end of the log the last moment is meant that it covers: by the clock of Holdfast, too.
    const looking = await workspace();
    const untilMs = Date.parse((await cache()).log!.time!) - AHEAD_MS;
    const { at: latest, points } = await groupPoints(looking, looking.group('both'), {});
    const [last] = points as [GroupPoint, GroupPoint];
    expect(Math.abs(Date.parse(last.time) - untilMs)).toBeLessThan(KNOWN_TO_MS);
    expect(last.skewMs).toBe(Date.parse(latest) - Date.parse(last.time));
    expect(last.skewMs).toBeGreaterThanOrEqual(0);
  });
});
