/** A drill beside a follower that goes on: the log is replayed on the copies up to what came last. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { document } from '../support/cli.ts';
import { FollowedCluster } from '../support/followed.ts';
import { requires } from '../support/requirements.ts';

const RUNBOOKS = {
  lost: {
    scenario: 'The server is lost',
    params: { target: { required: true } },
    steps: [
      { id: 'cut', do: 'isolate', source: 'db', users: ['app'], drill: 'run' },
      { id: 'scope', do: 'compare', source: 'db', drill: 'run' },
      { id: 'point', do: 'recovery-point', source: 'db', choose: 'latest' },
      { id: 'back', do: 'restore', source: 'db', at: '${point.time}', to: '${target}' },
      { id: 'check', do: 'verify', sources: ['db'], against: '${back.target}' },
    ],
  },
  over: { scenario: 'It is over', steps: [{ id: 'protect', do: 'backup', sources: ['db'], prove: true }] },
};

describe.skipIf(!requires('postgresql', 'pg_dump'))('a drill of what is followed', { timeout: 240_000 }, () => {
  let cluster: FollowedCluster;
  let follower: ReturnType<FollowedCluster['follow']>;

  beforeAll(async () => {
    const came = { name: 'all orders', sql: 'select count(*) >= 200 from orders' };
    cluster = await FollowedCluster.start('/usr/lib/postgresql/15/bin', {}, { validate: [came] });
    const file = join(cluster.directory, 'holdfast.yaml');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), runbooks: RUNBOOKS }));
    await cluster.query('create role app login; create table orders as select generate_series(1, 100) as id');
    expect((await cluster.run('backup')).exit).toBe(0);
    follower = cluster.follow();
    await cluster.query('insert into orders select generate_series(101, 200)');
    await cluster.caughtUp();
  }, 120_000);
  afterAll(async () => {
    follower?.child.kill('SIGINT');
    await follower?.done;
    await settled(cluster?.server.stop());
  });

  it('has what came behind the backup, turns users off and compares on a copy, and leaves the follower at it', async () => {
    const ran = await cluster.run('drill', 'lost', '--json');
    const drilled = document(ran);
    // biome-ignore lint/suspicious/noExplicitAny: each test says itself what it expects in it
    const steps = Object.fromEntries(drilled.steps.map((each: any) => [each.step, each]));
    expect([ran.exit, drilled.outcome], ran.stderr).toEqual([0, 'done']);
    expect(steps.cut).toMatchObject({
      state: 'done',
      summary: expect.stringContaining('on copies: app of db get in no more'),
    });
    expect(steps.scope).toMatchObject({ state: 'done', summary: expect.stringContaining('no difference') });
    expect(steps.check).toMatchObject({ state: 'done' });
    expect(await cluster.query("select rolcanlogin from pg_roles where rolname = 'app'")).toEqual([
      { rolcanlogin: true },
    ]);
    // It is still at it.
    expect(follower.child.exitCode).toBeNull();
    await cluster.query('insert into orders values (201)');
    await cluster.caughtUp();
  });

  it('is protected again once its backup is proven, and says whether the log goes on from there', async () => {
    const protect = async () => {
      const ran = await cluster.run('recover', 'over', '--json');
      return [ran.exit, document(ran).steps[0].summary];
    };
    // Where the machine is busy, what the follower got comes behind the proof.
    await expect
      .poll(protect, { timeout: 60_000, interval: 1000 })
      .toEqual([0, expect.stringMatching(/; the log of db goes on from there without a gap, until 20/)]);
    follower.child.kill('SIGINT');
    await follower.done;
    expect(await protect()).toEqual([
      0,
      expect.stringMatching(/; nothing of the log of db behind it is stored yet: .*`holdfast follow db`/),
    ]);
  });
});
