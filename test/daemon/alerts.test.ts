import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { alertDuty } from '../../src/daemon/duties/alerts.ts';
import type { MakeDuties } from '../../src/daemon/duty.ts';
import { acknowledgeAlert, listAlerts, Workspace } from '../../src/operations/index.ts';
import { loadPlan } from '../../src/plan/index.ts';
import { FaultyStore } from '../../src/store/faulty/index.ts';
import { startHttpReceiver } from '../support/channel-servers.ts';
import { DaemonPlace } from '../support/daemon.ts';

it('tells of a run that failed at once, climbs the ladder over a restart, and tells that it is over', async () => {
  const server = await startHttpReceiver();
  onTestFinished(() => server.close());
  const place = await DaemonPlace.with(
    '2026-03-02T10:58:00Z',
    { files: 'hourly' },
    `contacts:
  oncall: { role: On-call engineer, channel: pager }
  lead: { role: Lead, channel: lead }
  cto: { role: CTO, channel: cto }
alerts:
  channels:
    pager: { type: webhook, url: "${server.url}/pager" }
    lead: { type: webhook, url: "${server.url}/lead" }
    cto: { type: webhook, url: "${server.url}/cto" }
  escalation:
    - { after: 0m, notify: [oncall] }
    - { after: 30m, notify: [lead] }
    - { after: 60m, notify: [cto], untilResolved: true }
`,
  );
  const told = async (daemon: Awaited<ReturnType<DaemonPlace['daemon']>>, until: string) => {
    const before = server.requests.length;
    await place.run(daemon, until);
    return server.requests
      .slice(before)
      .map(({ path, body }) => `${path} ${JSON.parse(body).type.replace('alert.', '')}`);
  };
  const duties: MakeDuties[] = [(context) => [alertDuty(context, {}, { everyMs: 5 * 60_000 })]];
  const first = await place.daemon({ duties });
  expect(await told(first, '2026-03-02T10:59:59Z')).toEqual([]);
  rmSync(join(place.directory, 'files'));
  expect(await told(first, '2026-03-02T11:00:01Z')).toEqual(['/pager raised']);
  expect(await told(first, '2026-03-02T11:29:00Z')).toEqual([]);
  await first.stop('over');
  const second = await place.daemon({ duties });
  expect(await told(second, '2026-03-02T11:35:00Z')).toEqual(['/lead raised']);
  expect(await told(second, '2026-03-02T12:05:00Z')).toEqual(['/cto raised']);
  writeFileSync(join(place.directory, 'files'), 'files');
  expect((await told(second, '2026-03-02T13:12:00Z')).sort()).toEqual([
    '/cto resolved',
    '/lead resolved',
    '/pager resolved',
  ]);
  await second.stop('over');
  expect((await place.bodies('alert.raised')).map(({ rule }) => rule)).toEqual(['backup-failed']);
});

it('is stopped by who sees to it while the repository is away, whatever process they say it to, and knows it afterwards', async () => {
  const server = await startHttpReceiver();
  onTestFinished(() => server.close());
  const place = await DaemonPlace.with(
    '2026-03-02T10:58:00Z',
    { files: 'hourly' },
    `contacts:
  oncall: { role: On-call engineer, channel: pager }
  lead: { role: Lead, channel: lead }
alerts:
  channels:
    pager: { type: webhook, url: "${server.url}/pager" }
    lead: { type: webhook, url: "${server.url}/lead" }
  escalation:
    - { after: 0m, notify: [oncall] }
    - { after: 30m, notify: [lead] }
`,
  );
  let isAway = false;
  const faulty = (store: FaultyStore['inner']) => new FaultyStore(store, () => (isAway ? 'before' : undefined));
  const environment = { ...place.environmentWith(faulty), stateDirectory: join(place.directory, 'state') };
  const duties: MakeDuties[] = [(context) => [alertDuty(context, {}, { everyMs: 60_000 })]];
  const daemon = await place.daemon({ environment, duties });
  await place.run(daemon, '2026-03-02T10:59:59Z');
  rmSync(join(place.directory, 'files'));
  await place.run(daemon, '2026-03-02T11:05:00Z');
  isAway = true;
  await place.run(daemon, '2026-03-02T11:15:00Z');
  const told = () =>
    server.requests.map(({ path, body }) => {
      const { type, data } = JSON.parse(body);
      return { id: data.alerts[0].id, what: `${path} ${type.replace('alert.', '')} ${data.alerts[0].rule}` };
    });
  expect(told().map(({ what }) => what)).toEqual([
    '/pager raised backup-failed',
    '/pager raised repository-unreachable',
  ]);
  const loaded = await loadPlan({ cwd: place.directory, env: {} });
  const elsewhere = () => new Workspace(loaded, environment);
  const [before, meanwhile] = told();
  // Of what was raised before, nothing is known here but its id.
  expect(await acknowledgeAlert(elsewhere(), { alert: before!.id, by: 'ann' })).toMatchObject({
    ...{ id: before!.id, isNew: true, unseen: { code: 'store-unreachable' } },
  });
  expect(await acknowledgeAlert(elsewhere(), { alert: meanwhile!.id.slice(0, 6), by: 'ann' })).toMatchObject({
    ...{ isNew: true, alert: { id: meanwhile!.id, rule: 'repository-unreachable' } },
  });
  await expect(acknowledgeAlert(elsewhere(), { alert: 'fffff' })).rejects.toMatchObject({ code: 'store-unreachable' });
  const { alerts, unread } = await listAlerts(elsewhere(), { all: false });
  expect(alerts).toMatchObject([{ id: meanwhile!.id, state: 'acknowledged', acknowledgedBy: 'ann' }]);
  expect(unread).toMatchObject([{ repository: 'main' }]);
  await place.run(daemon, '2026-03-02T11:58:00Z');
  expect(told().map(({ what }) => what)).not.toContainEqual(expect.stringMatching(/^\/lead raised/));
  expect(told().at(-1)!.what).toMatch(/^\/pager acknowledged/);
  expect(JSON.parse(server.requests.at(-1)!.body).data.alerts).toHaveLength(2);
  isAway = false;
  await place.run(daemon, '2026-03-02T11:59:59Z');
  await daemon.stop('over');
  expect(told().map(({ what }) => what)).not.toContainEqual(expect.stringMatching(/^\/lead raised/));
  const seenTo = (await place.bodies('alert.acknowledged')).map(({ alert }) => alert);
  expect(seenTo.sort()).toEqual([before!.id, meanwhile!.id].sort());
});
