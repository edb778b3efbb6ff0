import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settled } from '../../src/foundation/promises.ts';
import { document } from '../support/cli.ts';
import { FollowedCluster, until } from '../support/followed.ts';
import { requires } from '../support/requirements.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const VALIDATE = [
  { name: 'all orders', sql: 'select count(*) = 1500 from orders' },
  { name: 'newest order', sql: 'select max(since) from orders', within: '6s' },
];
/** The moment of the backup is further away from the newest order than the plan allows. */
const AFTER_BACKUP_MS = 9000;

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe.skipIf(!requires('postgresql'))('the proof of a point in time', { timeout: 120_000 }, () => {
  let cluster: FollowedCluster;
  /** After the last commit, and the log is known to be there until then. */
  let idle: Date;

  beforeAll(async () => {
    cluster = await FollowedCluster.start(BIN, {}, { validate: VALIDATE });
    await cluster.query('create table orders (id serial, since timestamptz default clock_timestamp())');
    await cluster.query('insert into orders (id) select generate_series(1, 1000); create table gone ()');
    expect((await cluster.run('backup')).exit).toBe(0);
    const follower = cluster.follow();
    await pause(AFTER_BACKUP_MS);
    await cluster.query('drop table gone; insert into orders (id) select generate_series(1001, 1500)');
    await cluster.caughtUp();
    idle = new Date();
    await until(async () => {
      const [{ log }] = document(await cluster.run('status', '--json')).sources;
      return Date.parse(log.time) > idle.getTime();
    });
    follower.child.kill('SIGINT');
    await follower.done;
  }, 60_000);
  afterAll(() => settled(cluster.server.stop()));

  it('has what only the log has, and holds the plan against the moment that it led to', async () => {
    const verified = await cluster.run('verify', 'db', '--at', 'latest', '--json');
    const [proof] = document(verified).proofs;
    expect(proof, verified.stderr).toMatchObject({
      state: 'proven',
      checksFailed: [],
      log: { target: 'the end of the log' },
    });
    expect(verified.exit).toBe(0);
    expect(proof.time).toBe(proof.log.time);
    expect(Date.parse(proof.time)).toBeGreaterThan(idle.getTime());
    expect(proof.counts).toContainEqual({ database: 'postgres', tables: 1, rows: 1500 });
    expect(proof.notes.join()).toContain('end of the log');
  });

  it('comes to a moment behind which nothing was committed', async () => {
    const verified = await cluster.run('verify', 'db', '--at', idle.toISOString(), '--json');
    const [proof] = document(verified).proofs;
    expect(proof, verified.stderr).toMatchObject({ state: 'proven', time: idle.toISOString() });
    expect(proof.notes.join()).toContain('nothing was committed');
  });

  it('is of any second that the log covers where one is picked, and says nothing of the backup or of other moments', async () => {
    const [{ time: taken }] = document(await cluster.run('snapshots', 'db', '--json')).snapshots;
    const [proof] = document(await cluster.run('verify', 'db', '--pick', 'random', '--json')).proofs;
    expect(proof.log).toEqual({ target: proof.time, time: proof.time });
    // The plan's checks hold at the end alone.
    expect(['proven', 'failed']).toContain(proof.state);
    expect(proof.counts).toContainEqual({ database: 'postgres', tables: expect.any(Number), rows: expect.any(Number) });
    const [source] = document(await cluster.run('status', '--json')).sources;
    expect(Date.parse(proof.time)).toBeGreaterThan(Date.parse(taken));
    expect(Date.parse(proof.time)).toBeLessThanOrEqual(Date.parse(source.log.time));
    expect(source.last.proof).toBe('stored');
    expect(source.provenMoment.time > idle.toISOString()).toBe(true);
    expect(source.unprovenMoment?.time).toBe(proof.state === 'failed' ? proof.time : undefined);
  });

  it('is of the backup alone without a time', async () => {
    const [proof] = document(await cluster.run('verify', 'db', '--json')).proofs;
    expect(proof).toMatchObject({ state: 'failed', counts: expect.anything() });
    expect(proof.checksFailed).toContain('validate: all orders');
    expect(proof.counts).toContainEqual({ database: 'postgres', tables: 2, rows: 1000 });
    expect(proof).not.toHaveProperty('log');
  });

  it('is no proof, and no failed one, where the log does not have the point', async () => {
    const before = (await cluster.eventKinds()).length;
    const verified = await cluster.run('verify', 'db', '--at', 'name:nowhere', '--json');
    expect([verified.exit, document(verified).error.code]).toEqual([1, 'log-missing']);
    expect(await cluster.eventKinds()).toHaveLength(before);
  });
});
