import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

it('delivers the compliance report and the playbook, each partial where it lacks something', async () => {
  const team = await startHttpReceiver();
  onTestFinished(() => team.close());
  const place = await DaemonPlace.with(
    '2026-05-01T06:30:00Z',
    { a: 'monthly' },
    `compliance: { frameworks: [soc2] }
alerts: { channels: { team: { type: webhook, url: "${team.url}" } } }
reports:
  - { kind: compliance, schedule: daily at 07:00, to: [team] }
  - { kind: playbook, schedule: daily at 07:30, to: [team] }`,
  );
  // An archive that was never made: what it has to say is not known.
  const file = join(place.directory, 'holdfast.yaml');
  const archive =
    '  old: { store: ./old, password: { env: HOLDFAST_PASSWORD }, copies: { from: main, sources: [a] } }\n';
  writeFileSync(file, readFileSync(file, 'utf8').replace('sources:\n', `${archive}sources:\n`));
  const daemon = await place.daemon({ duties: [] });
  await place.run(daemon, '2026-05-01T07:30:00Z');
  await daemon.stop('over');
  const reports = team.requests.map(({ body }) => JSON.parse(body).data.text as string);
  expect(reports).toEqual([
    expect.stringMatching(/2026-04-30.* to 2026-05-01[\s\S]*SOC 2 A1\.2/),
    expect.stringContaining('never shown'),
  ]);
  const ended = (await place.bodies('run.finished')).filter(({ task }) => task.startsWith('report:'));
  expect(ended).toMatchObject([
    {
      task: 'report:compliance',
      outcome: 'partial',
      message: 'not every ledger is whole, and could be verified and read',
    },
    { task: 'report:playbook', outcome: 'partial', message: expect.stringMatching(/^old could not be read: /) },
  ]);
});
