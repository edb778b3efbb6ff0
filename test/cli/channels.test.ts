import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startHttpReceiver, startMailServer } from '../support/channel-servers.ts';
import { document, environment, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';

const SECRET = 'services-T0-B0-NobodyMaySee';

async function prepared(more: string): Promise<string> {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  writePlan(directory, `  files: { type: files, paths: [${join(directory, 'data')}] }`, more);
  await initialise(directory);
  return directory;
}

describe('holdfast doctor, of channels', () => {
  it('sends a test to each with --send-test alone, and says which took it', async () => {
    const [web, refusing, mail] = [
      await startHttpReceiver({ status: 202, body: 'ok' }),
      await startHttpReceiver({ status: 403 }),
      await startMailServer({ disabledCommands: ['STARTTLS'] }),
    ];
    onTestFinished(async () => {
      await Promise.all([web.close(), refusing.close(), mail.close()]);
    });
    const directory = await prepared(`
alerts:
  channels:
    pager: { type: pagerduty, routingKey: { env: KEY }, url: ${web.url}/v2/enqueue }
    team: { type: slack, webhook: { env: SLACK } }
    gone: { type: slack, webhook: { env: REFUSING } }
    lead: { type: email, to: [lead@example.com], smtp: { env: SMTP } }
    hook: { type: webhook, url: ${web.url}/hook, secret: { env: KEY } }
    beat: { type: heartbeat, url: ${web.url}/beat }
    tell: { type: command, command: [./tell] }
    unset: { type: slack, webhook: { env: UNSET } }
`);
    writeFileSync(join(directory, 'tell'), '#!/bin/sh\nexec cat > told\n', { mode: 0o755 });
    const env = environment({
      KEY: SECRET,
      SLACK: `${web.url}/${SECRET}`,
      REFUSING: `${refusing.url}/${SECRET}`,
      SMTP: `smtp://localhost:${mail.port}`,
    });
    const listed = document(await holdfast(directory, ['doctor', '--json'], env));
    const levels = (diagnosis: typeof listed) =>
      Object.fromEntries(
        diagnosis.channels.map((each: { channel: string; findings: { level: string }[] }) => [
          each.channel,
          each.findings[0]?.level,
        ]),
      );
    const others = { pager: 'ok', team: 'ok', lead: 'ok', hook: 'ok', beat: 'ok', tell: 'ok', unset: 'missing' };
    expect(levels(listed)).toEqual({ ...others, gone: 'ok' });
    expect([web.requests, refusing.requests, mail.mails]).toEqual([[], [], []]);

    const ran = await holdfast(directory, ['doctor', 'files', '--send-test', '--json'], env);
    expect(ran.exit).toBe(4);
    expect(levels(document(ran))).toEqual({ ...others, gone: 'missing' });
    expect(web.requests.map(({ path }) => path).sort()).toEqual(
      ['/beat', '/hook', `/${SECRET}`, '/v2/enqueue', '/v2/enqueue'].sort(),
    );
    expect(mail.mails[0]?.source).toContain('Nothing is wrong.');
    expect(JSON.parse(readFileSync(join(directory, 'told'), 'utf8')).type).toBe('test');
    expect(`${ran.stdout}${ran.stderr}`).not.toContain(SECRET);

    const text = await holdfast(directory, ['doctor', '--send-test'], env);
    expect(text.stdout).toContain(
      `channel gone (slack)\n  missing  test: channel gone: ${refusing.url} answered 403\n`,
    );
    expect(document(await holdfast(directory, ['doctor', 'files', '--json'], env)).channels).toEqual([]);
  });
});
