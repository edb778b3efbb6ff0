import { expect, it, onTestFinished } from 'vitest';
import { startHttpReceiver, startMailServer } from '../support/channel-servers.ts';
import { DaemonPlace } from '../support/daemon.ts';

it('delivers the report of what was verified as the plan says, and again only to whom it did not reach', async () => {
  const [team, mail] = [await startHttpReceiver(), await startMailServer({ disabledCommands: ['STARTTLS'] })];
  onTestFinished(async () => {
    await Promise.all([team.close(), mail.close()]);
  });
  const place = await DaemonPlace.with(
    '2026-05-01T00:00:00Z',
    { a: 'monthly' },
    `verification: [{ name: weekly, sources: [a], schedule: weekly on sunday at 06:00 }]
alerts:
  channels:
    team: { type: webhook, url: ${team.url} }
    lead: { type: email, to: [lead@example.com], from: holdfast@example.com, smtp: { env: SMTP } }
reports: [{ kind: verification, schedule: weekly on monday at 07:00, to: [team, lead] }]`,
  );
  const smtp = `smtp://localhost:${mail.port}`;
  const environment = { ...place.environment, variables: { ...place.environment.variables, SMTP: smtp } };
  team.answer = { status: 404 };
  const daemon = await place.daemon({ environment, duties: [] });
  await place.run(daemon, '2026-05-04T07:00:00Z');
  expect([team.requests.length, mail.mails.length]).toEqual([1, 1]);
  team.answer = { status: 200 };
  await place.run(daemon, '2026-05-04T12:00:00Z');
  expect([team.requests.length, mail.mails.length]).toEqual([2, 1]);
  await place.run(daemon, '2026-05-11T07:00:00Z');
  await daemon.stop('over');
  expect([team.requests.length, mail.mails.length]).toEqual([3, 2]);
  const { type, data } = JSON.parse(team.requests[1]!.body);
  expect([type, data.text]).toEqual(['report', expect.stringContaining('Recovery points proven: 1; failed: 0')]);
  expect(mail.mails[0]!.source).toMatch(/Subject: Verification of test, 2026-04-27 to 2026-05-04\r\n/);
  const delivered = (await place.bodies('report.delivered')).map(({ channel, outcome }) => `${channel} ${outcome}`);
  expect(delivered.sort()).toEqual([
    ...['lead delivered', 'lead delivered', 'team delivered', 'team delivered', 'team failed'],
  ]);
});
