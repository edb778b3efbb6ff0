import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startHttpReceiver } from '../../../test/support/channel-servers.ts';
import { DaemonPlace } from '../../../test/support/daemon.ts';
import { acknowledgeAlert, type Wellbeing } from '../../operations/index.ts';
import { DUTIES } from '../duties.ts';
import { heartbeatDuties } from './heartbeats.ts';

describe('a heartbeat', () => {
  it('beats while all is well, and says in the ledger where it is silent on purpose or cannot be told', async () => {
    const watch = await startHttpReceiver();
    onTestFinished(watch.close);
    const channel = `beat: { type: heartbeat, url: ${watch.url}/omni, every: 5m }`;
    const place = await DaemonPlace.with(
      '2026-05-04T12:00:00Z',
      { a: 'monthly' },
      `alerts: { channels: { ${channel} } }`,
    );
    const alert = { rule: 'rpo-breach', subject: 'db', severity: 'p1', isSeenTo: false, isUntold: false } as const;
    let open: Wellbeing['open'] = [];
    const seen = (): Wellbeing => ({ lookedMs: place.clock.nowMs(), open });
    const daemon = await place.daemon({ duties: [(context) => heartbeatDuties(context, seen)] });
    const beatsUntil = async (until: string): Promise<number> => {
      const before = watch.requests.length;
      await place.run(daemon, until);
      return watch.requests.length - before;
    };
    expect(await beatsUntil('2026-05-04T12:10:00Z')).toBe(3);
    expect(watch.requests[0]).toMatchObject({ method: 'GET', path: '/omni' });
    open = [alert];
    expect(await beatsUntil('2026-05-04T12:20:00Z')).toBe(0);
    open = [{ ...alert, isSeenTo: true }];
    expect(await beatsUntil('2026-05-04T12:30:00Z')).toBe(2);
    watch.answer = { status: 404 };
    await place.run(daemon, '2026-05-04T12:40:00Z');
    watch.answer = { status: 200 };
    await place.run(daemon, '2026-05-04T12:50:00Z');
    await daemon.stop('the test is over');
    expect(await place.bodies('heartbeat.withheld')).toEqual([
      { channel: 'beat', why: ['rpo-breach of db is open, and nobody has acknowledged it'] },
    ]);
    expect(await place.bodies('heartbeat.resumed')).toEqual([{ channel: 'beat' }]);
    const [failed, ...more] = await place.bodies('duty.failed');
    expect(failed).toMatchObject({ duty: 'heartbeat:beat', code: 'channel-failed' });
    expect(more).toEqual([]);
    expect(await place.bodies('duty.recovered')).toEqual([{ duty: 'heartbeat:beat' }]);
  });

  it('waits for the first look, and not for ever', async () => {
    const watch = await startHttpReceiver();
    onTestFinished(watch.close);
    const channel = `beat: { type: heartbeat, url: ${watch.url} }`;
    const place = await DaemonPlace.with(
      '2026-05-04T12:00:00Z',
      { a: 'monthly' },
      `alerts: { channels: { ${channel} } }`,
    );
    const seen = () => undefined;
    const daemon = await place.daemon({ work: {}, duties: [(context) => heartbeatDuties(context, seen)] });
    await daemon.tick();
    place.clock.passUntil('2026-05-04T12:04:00Z');
    await place.settle(daemon);
    expect(await place.bodies('heartbeat.withheld')).toEqual([]);
    place.clock.passUntil('2026-05-04T12:06:00Z');
    await place.settle(daemon);
    await daemon.stop('over');
    const why = ['nobody has looked yet for what is wrong'];
    expect(await place.bodies('heartbeat.withheld')).toEqual([{ channel: 'beat', why }]);
    expect(watch.requests).toEqual([]);
  });

  it('stops with a p1 and goes on once somebody has acknowledged it', async () => {
    const watch = await startHttpReceiver();
    onTestFinished(watch.close);
    const place = await DaemonPlace.with(
      '2026-05-04T12:00:00Z',
      { a: 'hourly' },
      `alerts:
  channels: { beat: { type: heartbeat, url: ${watch.url}, every: 30s } }
  rules: { backup-failed: { severity: p1 } }`,
    );
    rmSync(join(place.directory, 'a'));
    const daemon = await place.daemon({ duties: DUTIES });
    await place.run(daemon, '2026-05-04T12:00:30Z');
    const before = watch.requests.length;
    await place.run(daemon, '2026-05-04T12:01:10Z');
    expect(watch.requests.length).toBe(before);
    const [raised] = await place.bodies('alert.raised');
    expect(raised).toMatchObject({ rule: 'backup-failed', severity: 'p1' });
    await acknowledgeAlert(daemon.workspace, { alert: raised!.alert });
    await place.run(daemon, '2026-05-04T12:02:10Z');
    await daemon.stop('over');
    expect(watch.requests.length).toBeGreaterThan(before);
    expect(await place.bodies('heartbeat.withheld')).toHaveLength(1);
  });
});
