import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { alertDuty } from '../../src/daemon/duties/alerts.ts';
import type { MakeDuties } from '../../src/daemon/duty.ts';
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
