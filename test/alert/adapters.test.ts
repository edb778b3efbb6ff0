import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createEmailChannel } from '../../src/alert/email/index.ts';
import { parseSmtpUrl } from '../../src/alert/email/smtp-address.ts';
import { createHeartbeatChannel } from '../../src/alert/heartbeat/index.ts';
import { eventsOf } from '../../src/alert/pagerduty/events.ts';
import { createPagerdutyChannel } from '../../src/alert/pagerduty/index.ts';
import { slackMessageOf } from '../../src/alert/slack/slack-message.ts';
import { createWebhookChannel } from '../../src/alert/webhook/index.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { alertOf, EVERY_KIND, messageOf } from '../support/alert-messages.ts';
import { selfSigned } from '../support/certificates.ts';
import { shownOf } from '../support/channel-conformance.ts';
import { type HttpReceiver, startHttpReceiver, startMailServer } from '../support/channel-servers.ts';

const signal = new AbortController().signal;
const common = { name: 'it', clock: systemClock };
const certificates = selfSigned(mkdtempSync(join(tmpdir(), 'tls-')));

async function receiver(...options: Parameters<typeof startHttpReceiver>): Promise<HttpReceiver> {
  const server = await startHttpReceiver(...options);
  onTestFinished(server.close);
  return server;
}

async function mailServer(...options: Parameters<typeof startMailServer>) {
  const server = await startMailServer(...options);
  onTestFinished(server.close);
  return server;
}

function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('PagerDuty', () => {
  it('has one incident for an alert, from its trigger to its resolution', () => {
    const url = 'https://holdfast.example/acknowledge/a1b2c3d4';
    const [trigger] = eventsOf(messageOf('raised', {}, { acknowledgeUrls: { a1b2c3d4: url } }));
    expect(trigger).toMatchObject({
      event_action: 'trigger',
      links: [{ href: url, text: 'Acknowledge' }],
      payload: { severity: 'critical', source: 'omni', component: 'omni-db', class: 'rpo-breach' },
    });
    expect(trigger!.payload!.summary).toContain('the newest recovery point is 3 h old');
    expect(trigger!.payload!.custom_details).toMatchObject({
      Do: 'holdfast backup omni-db',
      Runbooks: 'holdfast recover region-failure --alert a1b2c3d4',
    });
    const rest = (['updated', 'acknowledged', 'resolved'] as const).flatMap((kind) => eventsOf(messageOf(kind)));
    expect(rest.map(({ event_action }) => event_action)).toEqual(['trigger', 'acknowledge', 'resolve']);
    expect(new Set([trigger, ...rest].map((event) => event!.dedup_key)).size).toBe(1);
    expect(eventsOf(messageOf('raised', { id: 'other' }))[0]!.dedup_key).not.toBe(trigger!.dedup_key);
  });

  it('has an event for each alert of a message, within its limits', () => {
    const alerts = (['p1', 'p2', 'p3'] as const).map((severity, index) =>
      alertOf({ severity, id: `${index}`.repeat(300), message: 'm'.repeat(5000) }),
    );
    const events = eventsOf({ ...messageOf('raised'), alerts });
    expect(events.map(({ payload }) => payload!.severity)).toEqual(['critical', 'error', 'warning']);
    expect(Math.max(...events.map(({ payload }) => payload!.summary.length))).toBe(1024);
    expect(Math.max(...events.map(({ dedup_key }) => dedup_key.length))).toBeLessThanOrEqual(255);
    expect(new Set(events.map(({ dedup_key }) => dedup_key)).size).toBe(3);
  });

  it('resolves the incident of a test at once', async () => {
    const server = await receiver({ status: 202 });
    const channel = createPagerdutyChannel({ ...common, url: server.url, routingKey: 'R0' });
    await channel.send(EVERY_KIND.at(-1)!, signal);
    const events = server.requests.map(({ body }) => JSON.parse(body));
    expect(events).toMatchObject([
      { routing_key: 'R0', event_action: 'trigger', payload: { severity: 'info' } },
      { routing_key: 'R0', event_action: 'resolve', dedup_key: events[0].dedup_key },
    ]);
  });
});

describe('Slack', () => {
  it('is never sent more than it takes, nor a character that would mention somebody', () => {
    const text = fc.oneof(fc.string({ maxLength: 50 }), fc.constantFrom('<!channel>&'.repeat(500), '&'.repeat(4000)));
    fc.assert(
      fc.property(text, text, fc.integer({ min: 1, max: 60 }), (said, command, count) => {
        const alerts = Array.from({ length: count }, (_, index) => alertOf({ id: `${index}`, message: said, command }));
        const report = { ...EVERY_KIND[4]!, text: Array(count).fill(`${said}${command}`).join('\n') } as never;
        for (const message of [slackMessageOf({ ...messageOf('raised'), alerts }), slackMessageOf(report)]) {
          expect(message.blocks.length).toBeLessThanOrEqual(50);
          expect(message.text.length).toBeLessThanOrEqual(4000);
          for (const block of message.blocks) {
            const shown = block.type === 'context' ? block.elements[0]!.text : block.text.text;
            expect(shown.length).toBeLessThanOrEqual(block.type === 'header' ? 150 : 3000);
            if (block.type !== 'header') expect(shown).not.toMatch(/[<>]|&(?!(?:amp|lt|gt);)/);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('links to where it is acknowledged, and shows the command that mends it', () => {
    const url = 'https://holdfast.example/a?b=1&c=2|x>y';
    const { blocks, text } = slackMessageOf(messageOf('raised', {}, { acknowledgeUrls: { a1b2c3d4: url } }));
    expect(text).toBe(
      'Raised: [omni] P1 rpo-breach: omni-db: the newest recovery point is 3 h old, and 5 min were promised',
    );
    expect(JSON.stringify(blocks)).toContain('<https://holdfast.example/a?b=1&amp;c=2%7Cx%3Ey|Acknowledge>');
    expect(JSON.stringify(blocks)).toContain('*Do*: `holdfast backup omni-db`');
  });
});

describe('a webhook', () => {
  it.each([
    ['whsec_c2VjcmV0IGtleQ==', Buffer.from('secret key')],
    ['a secret of one line', Buffer.from('a secret of one line')],
  ])('is signed with %s over id, time and body, and keeps its id when it is sent again', async (secret, key) => {
    const server = await receiver();
    const clock = { nowMs: () => 1_800_000_000_500, monotonicMs: () => 0 };
    const channel = createWebhookChannel({ ...common, clock, url: `${server.url}/hook?x=1`, secret });
    for (let count = 0; count < 2; count++) await channel.send(messageOf('raised'), signal);
    await channel.send(messageOf('raised', {}, { reason: '30m, lead' }), signal);
    const [first, second, other] = server.requests.map(({ headers }) => headers['webhook-id']);
    expect(first).toBe(second);
    expect(other).not.toBe(first);
    const { headers, body, path } = server.requests[0]!;
    const signed = `${headers['webhook-id']}.1800000000.${body}`;
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', key).update(signed).digest('base64')}`);
    expect([headers['webhook-timestamp'], path]).toEqual(['1800000000', '/hook?x=1']);
  });

  it('says all that is known of an alert, as the schema has it', async () => {
    const { z } = await import('zod');
    const schema = JSON.parse(readFileSync('docs/notification.schema.json', 'utf8'));
    const notification = z.fromJSONSchema(schema);
    const server = await receiver();
    const channel = createWebhookChannel({ ...common, url: server.url });
    for (const message of EVERY_KIND) await channel.send(message, signal);
    const bodies = server.requests.map(({ body }) => JSON.parse(body));
    for (const body of bodies) expect(notification.safeParse(body).error).toBeUndefined();
    expect(bodies.map(({ type }) => type)).toEqual([
      ...['alert.raised', 'alert.updated', 'alert.acknowledged', 'alert.resolved', 'report', 'test'],
    ]);
    expect(bodies[0].data.alerts).toEqual([alertOf()]);
    expect(server.requests[0]!.headers['webhook-signature']).toBeUndefined();
    expect(notification.safeParse({ ...bodies[0], type: 'alert.unknown' }).success).toBe(false);
  });

  it('is not led elsewhere', async () => {
    const elsewhere = await receiver();
    const server = await receiver({ status: 307, headers: { location: elsewhere.url } });
    const channel = createWebhookChannel({ ...common, url: server.url, secret: 'a secret' });
    const error = await thrownBy(channel.send(messageOf('raised'), signal));
    expect(error).toMatchObject({ code: 'channel-failed', retryable: false });
    expect(elsewhere.requests).toEqual([]);
  });

  it('sends nothing to a server whose certificate is not trusted', async () => {
    const server = await receiver({ status: 200 }, certificates);
    const channel = createWebhookChannel({ ...common, url: server.url });
    const error = await thrownBy(channel.send(messageOf('raised'), signal));
    expect(error).toMatchObject({ code: 'channel-failed', retryable: false, hint: expect.stringMatching(/EXTRA_CA/) });
    expect(server.requests).toEqual([]);
  });

  it('reads no more of an answer than it needs', async () => {
    const server = await receiver({ status: 500, body: 'x'.repeat(10_000_000) });
    const error = await thrownBy(createWebhookChannel({ ...common, url: server.url }).send(EVERY_KIND[0]!, signal));
    expect(shownOf(error).length).toBeLessThan(5000);
  });

  it('takes user and password out of its URL, and into no error', async () => {
    const server = await receiver({ status: 401 });
    const url = server.url.replace('//', '//ann:p%40ssword@');
    const error = await thrownBy(createHeartbeatChannel({ ...common, url }).beat(signal));
    const basic = `Basic ${Buffer.from('ann:p@ssword').toString('base64')}`;
    expect(server.requests[0]!.headers.authorization).toBe(basic);
    expect(shownOf(error)).not.toMatch(/p@ssword|p%40ssword/);
    expect(() => createHeartbeatChannel({ ...common, url: 'no-url-but-a-secret' })).toThrow(/^(?!.*secret)/s);
  });
});

describe('mail', () => {
  const to = ['lead@example.com', 'cto@example.com'];
  const from = 'Holdfast <holdfast@example.com>';

  function headersOf(source: string): Record<string, string> {
    const [head = ''] = source.split('\r\n\r\n');
    const lines = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n');
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
    );
  }

  it('is given up where the server says a little now and then, and never takes it', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write('220 here I am\r\n');
      socket.once('data', () => {
        const drip = setInterval(() => socket.write('250-wait\r\n'), 20);
        socket.on('close', () => clearInterval(drip));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const channel = createEmailChannel({ ...common, to, from, smtp: `smtp://127.0.0.1:${port}`, timeoutMs: 500 });
    expect(await thrownBy(channel.send(messageOf('raised'), signal))).toMatchObject({
      code: 'channel-failed',
      retryable: true,
      message: expect.stringContaining('had not taken the mail after 3 s'),
    });
  });

  it('is text and HTML, and one thread for an alert; a later rung of the ladder is another mail', async () => {
    const server = await mailServer({}, { tls: certificates });
    const channel = createEmailChannel({ ...common, to, from, smtp: `smtp://localhost:${server.port}` });
    const hostile = { subject: 'db\r\nBcc: all@example.com', message: '<script>alert(1)</script>\r\n.\r\nQUIT' };
    const later = messageOf('raised', hostile, { reason: '30m, lead' });
    for (const message of [
      messageOf('raised', hostile),
      messageOf('raised', hostile),
      later,
      messageOf('resolved', hostile),
    ]) {
      await channel.send(message, signal);
    }
    const mails = server.mails.map(({ source }) => headersOf(source));
    expect(server.mails.map((mail) => mail.to)).toEqual(Array(4).fill(to));
    const [first, again, rung, resolved] = mails as [Record<string, string>, ...Record<string, string>[]];
    expect(first['message-id']).toMatch(/^<[0-9a-f]{40}@example\.com>$/);
    expect(again!['message-id']).toBe(first['message-id']);
    expect(rung!['message-id']).not.toBe(first['message-id']);
    for (const reply of [rung!, resolved!]) {
      expect([reply['in-reply-to'], reply['references']]).toEqual([first['message-id'], first['message-id']]);
      expect(reply['subject']).toBe(`Re: ${first['subject']}`);
    }
    expect(first['subject']).toBe('[omni] P1 rpo-breach: db Bcc: all@example.com');
    expect(mails.every((mail) => mail['bcc'] === undefined)).toBe(true);
    expect(first['content-type']).toMatch(/^multipart\/alternative/);
    expect(server.mails[0]!.source).toContain('&lt;script&gt;');
    expect([first['x-priority'], resolved!['x-priority']]).toEqual(['1 (Highest)', undefined]);
    // Where the server offers it, also with a certificate that nobody vouches for: there is no password.
    expect(server.mails[0]!.isSecure).toBe(true);
  });

  it('is delivered to all or not at all delivered: an address that is refused is a failure', async () => {
    const server = await mailServer({ disabledCommands: ['STARTTLS'] });
    server.refuse = { code: 550, recipient: 'cto@example.com' };
    const channel = createEmailChannel({ ...common, to, from, smtp: `smtp://localhost:${server.port}` });
    const error = await thrownBy(channel.send(messageOf('raised'), signal));
    expect(error).toMatchObject({ code: 'channel-failed', message: expect.stringContaining('cto@example.com') });
    expect(server.mails).toMatchObject([{ to: ['lead@example.com'], isSecure: false }]);
  });

  it('shows a password to no server that does not encrypt, or that nobody vouches for', async () => {
    const login = { user: 'ann', password: 'OnlyForTheServer' };
    const plain = await mailServer({ disabledCommands: ['STARTTLS'], allowInsecureAuth: true }, { login });
    const foreign = await mailServer({}, { login, tls: certificates });
    for (const [server, scheme] of [
      [plain, 'smtp'],
      [foreign, 'smtp'],
      [foreign, 'smtps'],
    ] as const) {
      const smtp = `${scheme}://ann:OnlyForTheServer@localhost:${server.port}`;
      const error = await thrownBy(createEmailChannel({ ...common, to, from, smtp }).send(messageOf('raised'), signal));
      expect(error).toMatchObject({ code: 'channel-failed' });
      expect(server.mails).toEqual([]);
    }
    const smtp = `smtp://ann:OnlyForTheServer@localhost:${plain.port}?tls=none`;
    await createEmailChannel({ ...common, to, from, smtp }).send(messageOf('raised'), signal);
    expect(plain.mails).toMatchObject([{ user: 'ann', isSecure: false }]);
    const before = getCACertificates('default');
    setDefaultCACertificates([...before, readFileSync(certificates.authority, 'utf8')]);
    onTestFinished(() => setDefaultCACertificates(before));
    const wrong = `smtp://ann:AnotherPassword@localhost:${foreign.port}`;
    const error = await thrownBy(
      createEmailChannel({ ...common, to, from, smtp: wrong }).send(messageOf('raised'), signal),
    );
    // The server quotes what it was told.
    expect(error).toMatchObject({ retryable: false, hint: expect.stringMatching(/user and the password/) });
    expect(shownOf(error)).not.toContain('AnotherPassword');
  });

  it('knows what a URL asks for', () => {
    const of = (url: string) => parseSmtpUrl(url, 'it');
    expect(of('smtp://mail.example')).toEqual({ host: 'mail.example', port: 587, isImplicit: false, tls: 'offered' });
    expect(of('smtp://mail.example:25?tls=required')).toMatchObject({ port: 25, tls: 'required' });
    expect(of('smtps://a%40b:c%2Fd@[::1]')).toMatchObject({
      ...{ host: '::1', port: 465, isImplicit: true, tls: 'required' },
      credentials: { user: 'a@b', password: 'c/d' },
    });
    for (const wrong of [
      'http://secret',
      'smtp://h?tls=secret',
      'smtps://h?tls=none',
      'smtp://h?secret=1',
      'smtp://se%cret@h',
    ]) {
      expect(() => of(wrong)).toThrow(/^(?!.*sec?%?c?ret\b)/s);
    }
    expect(() => createEmailChannel({ ...common, to: ['a@b\r\nBcc: c@d'], from, smtp: 'smtp://h' })).toThrow(
      /no address/,
    );
  });
});
