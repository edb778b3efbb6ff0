import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { fenceReturned } from '../../../src/recovery/index.ts';
import { postgresFailover } from '../../../src/source/postgres/failover/index.ts';
import { startHoldfast } from '../../support/cli.ts';
import { runInThisProcess } from '../../support/command-here.ts';
import { until } from '../../support/followed.ts';
import { queryOnce } from '../../support/postgres-pair.ts';
import { requires } from '../../support/requirements.ts';
import { Stage } from './stage.ts';
import { RunbookByHand } from './steps.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const signal = new AbortController().signal;
const isHere = requires('postgresql', 'redis', 'haproxy', 'bind');

describe.skipIf(!isHere)('a region that fails under an application that writes', { timeout: 240_000 }, () => {
  let stage: Stage | undefined;
  afterEach(() => stage?.close());

  it('is recovered by one command with its approvals; a synchronous standby has every acknowledged write', async () => {
    stage = await Stage.open(BIN, { isSynchronous: true });
    const { application, balancer, pair, directory } = stage;
    const run = (...words: string[]) => runInThisProcess(directory, words, stage!.variables);
    await stage.killFirstRegion();
    const killedMs = Date.now();
    const writtenBefore = application.acknowledged.length;
    await balancer.turn('postgres/first', 'maint');
    const since = new Date(killedMs).toISOString();
    const recovering = startHoldfast(
      directory,
      ['recover', 'region-failure', '--since', since, '--json'],
      stage.variables,
    );
    let id = '';
    await until(async () => {
      id = JSON.parse((await run('incident', 'list', '--json')).stdout).incidents[0]?.id ?? '';
      return id !== '';
    });
    for (const step of ['promote', 'cache']) {
      await until(async () => (await run('incident', 'approve', id, step)).exit === 0);
    }
    const ended = await recovering.done;
    // The fence and the old master could not be reached: whoever reads it must see that.
    expect(ended.exit, ended.stderr).toBe(3);
    // The new primary is protected again, and its backup came back in a sandbox.
    const protectedAgain = JSON.parse((await run('incident', 'show', id, '--json')).stdout).steps.at(-1);
    expect(protectedAgain).toMatchObject({ step: 'protect', state: 'done', outputs: { proven: true } });
    await application.goesOn();
    await application.stop();
    expect(application.acknowledged.length).toBeGreaterThan(writtenBefore);
    expect((await stage.lost()).rows).toEqual([]);

    // The old primary comes back and takes a write that nobody will have, before anybody sees it.
    const workspace = await stage.workspace();
    expect(await fenceReturned(workspace, signal)).toEqual([]);
    await pair.primary.start();
    await pair.primary.query(`set synchronous_commit = local; insert into writes values ('of nobody')`);
    expect(await fenceReturned(workspace, signal)).toMatchObject([
      { source: 'db', divergentBytes: expect.any(Number) },
    ]);
    await expect(queryOnce(pair.primary.url(), 'select 1')).rejects.toThrow('fenced_by_holdfast');
    expect(await fenceReturned(workspace, signal)).toEqual([]);
    const shown = (await run('incident', 'show', id)).stdout;
    expect(shown).toContain('came back and is fenced');
    expect(Number(/; (\d+) transactions/.exec(shown)?.[1])).toBeGreaterThanOrEqual(1);
  });

  it('loses no more than the lag at the kill where it is asynchronous; and the way back loses nothing', async () => {
    stage = await Stage.open(BIN, { isSynchronous: false });
    const { pair, application, balancer, redis } = stage;
    // The standby falls behind, as over a slow line.
    const [sender] = await pair.primary.query('select pid from pg_stat_replication');
    process.kill(Number(sender?.['pid']), 'SIGSTOP');
    await pause(500);
    const received = (await postgresFailover.look(pair.standby.url(), signal)).lsn;
    await stage.killFirstRegion();
    const killedMs = Date.now();
    const recovery = new RunbookByHand(await stage.workspace(), 'region-failure');
    await recovery.run('fence');
    await balancer.turn('postgres/first', 'maint');
    await balancer.turn('redis/first', 'maint');
    const behind = application.acknowledged.filter(({ lsn }) => lsn > received);
    const promoted = await recovery.run('promote');
    await recovery.run('cache');
    await application.goesOn();
    const { rows } = await stage.lost();
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThanOrEqual(behind.length);
    // What persons were told bounds what was lost.
    const oldest = application.acknowledged.find(({ id }) => rows.includes(id))!;
    expect(promoted.outputs['lostMs']).toBeGreaterThanOrEqual(killedMs - oldest.atMs);

    // The way back: the old primary comes back, is fenced, made a standby and then the primary again.
    await pair.primary.start();
    const late = await recovery.run('fence');
    expect(late).toMatchObject({ outcome: 'done', outputs: { proven: true, pending: false } });
    const forkLsn = BigInt(`0x${String(promoted.outputs['position']).split('/')[1]}`);
    const divergent = await postgresFailover.divergence(pair.primary.url(), forkLsn, signal);
    expect(divergent.transactions).toBeGreaterThanOrEqual(rows.length);
    expect(await recovery.undo('fence')).toContain('stays fenced, since eu is a primary now');
    await pair.primary.stop();
    const back = new RunbookByHand(await stage.workspace(), 'way-back');
    expect((await back.run('reseed')).outputs['divergentBytes']).toBeGreaterThan(0);
    await pair.primary.start();
    await redis.first.run();
    await back.run('cache-reseed');
    await until(async () => (await postgresFailover.look(pair.primary.url(), signal)).isReceiving === true);
    const before = application.acknowledged.length;
    await back.run('fence');
    const returned = await back.run('promote');
    expect(returned).toMatchObject({ outputs: { timeline: 3, lostMs: 0, lostBytes: 0 } });
    expect(back.questions).toEqual([]);
    await balancer.turn('postgres/first', 'ready');
    await application.goesOn();
    await application.stop();
    const there = new Set((await pair.primary.query('select id from writes')).map(({ id }) => String(id)));
    const gone = application.acknowledged.filter(({ id }) => !there.has(id)).map(({ id }) => id);
    expect(application.acknowledged.length).toBeGreaterThan(before);
    expect(gone).toEqual(rows);
  });
});
