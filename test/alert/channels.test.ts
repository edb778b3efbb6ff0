import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createCommandChannel } from '../../src/alert/command/index.ts';
import { createEmailChannel } from '../../src/alert/email/index.ts';
import { createHeartbeatChannel } from '../../src/alert/heartbeat/index.ts';
import type { Channel } from '../../src/alert/index.ts';
import { createPagerdutyChannel } from '../../src/alert/pagerduty/index.ts';
import { createSlackChannel } from '../../src/alert/slack/index.ts';
import { createWebhookChannel } from '../../src/alert/webhook/index.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { selfSigned } from '../support/certificates.ts';
import { type ChannelPeer, describeChannel, type Fault, PATIENCE_MS } from '../support/channel-conformance.ts';
import { type HttpReceiver, startHttpReceiver, startMailServer } from '../support/channel-servers.ts';

const SECRET = 'R0utingKeyThatNobodyMaySee';
const common = { name: 'pager', clock: systemClock };
const impatient = { timeoutMs: PATIENCE_MS };
const certificates = selfSigned(mkdtempSync(join(tmpdir(), 'tls-')));
setDefaultCACertificates([...getCACertificates('default'), readFileSync(certificates.authority, 'utf8')]);

/** Each status, with the secret quoted: the other side may quote what it was sent. */
const STATUSES: Partial<Record<Fault, number>> = { refused: 400, busy: 429, broken: 500 };

async function httpPeer(
  good: HttpReceiver['answer'],
  create: (options: { url: string; timeoutMs?: number }) => Channel,
  garbage?: HttpReceiver['answer'],
): Promise<ChannelPeer> {
  const server = await startHttpReceiver(good, certificates);
  return {
    channel: create({ url: server.url }),
    impatient: create({ url: server.url, ...impatient }),
    secret: SECRET,
    received: () => server.requests.length,
    behave(fault) {
      const status = fault && STATUSES[fault];
      const said = { body: `no: ${SECRET}`, headers: { 'retry-after': '7' } };
      server.answer = status === undefined ? good : { status, ...said };
      server.breakage = fault === 'silent' || fault === 'closed' || fault === 'garbage' ? fault : undefined;
      if (fault !== 'garbage' || garbage === undefined) return;
      server.breakage = undefined;
      server.answer = garbage;
    },
    close: server.close,
  };
}

const login = { status: 200, body: `<html>Please log in, ${SECRET}</html>` };

describeChannel('PagerDuty', () =>
  httpPeer(
    { status: 202, body: '{"status":"success"}' },
    ({ url, ...patience }) =>
      createPagerdutyChannel({ ...common, ...patience, url: `${url}/v2/enqueue`, routingKey: SECRET }),
    login,
  ),
);
describeChannel('Slack', () =>
  httpPeer(
    { status: 200, body: 'ok' },
    ({ url, ...patience }) =>
      createSlackChannel({ ...common, ...patience, webhook: `${url}/services/T0/B0/${SECRET}` }),
    login,
  ),
);
describeChannel('a webhook', () =>
  httpPeer({ status: 204 }, ({ url, ...patience }) =>
    createWebhookChannel({ ...common, ...patience, url: `${url}/hook`, secret: SECRET }),
  ),
);
describeChannel('a heartbeat', () =>
  httpPeer({ status: 200, body: 'OK' }, ({ url, ...patience }) =>
    createHeartbeatChannel({ ...common, ...patience, url: `${url}/ping/${SECRET}` }),
  ),
);

const REPLIES: Partial<Record<Fault, number>> = { refused: 550, busy: 451, broken: 421 };

async function mailPeer(protocol: 'smtp' | 'smtps'): Promise<ChannelPeer> {
  const user = 'holdfast@example.com';
  const options = { login: { user, password: SECRET }, tls: certificates };
  const server = await startMailServer({ secure: protocol === 'smtps' }, options);
  const smtp = `${protocol}://${encodeURIComponent(user)}:${SECRET}@localhost:${server.port}`;
  const mail = { ...common, to: ['lead@example.com'], from: user, smtp };
  return {
    channel: createEmailChannel(mail),
    impatient: createEmailChannel({ ...mail, ...impatient }),
    secret: SECRET,
    received: () => server.mails.length,
    behave(fault) {
      const code = fault && REPLIES[fault];
      server.refuse = code === undefined ? undefined : { code };
      server.breakage = fault === 'silent' || fault === 'closed' || fault === 'garbage' ? fault : undefined;
    },
    close: server.close,
  };
}

describeChannel('mail, encrypted once the server was asked', () => mailPeer('smtp'));
describeChannel('mail, encrypted from the start', () => mailPeer('smtps'));

/** What the program does when it is told of something, by fault: it finds out what to do in a file. */
const BEHAVIOURS: Partial<Record<Fault | 'well', string>> = {
  well: 'cat > got; cat got >> all; echo >> all',
  busy: `echo "no: ${SECRET}" >&2; exit 75`,
  broken: `echo "${SECRET}"; exit 1`,
  silent: 'sleep 60',
  closed: 'kill -9 $$',
};

describeChannel(
  'a command',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'command-'));
    const file = (name: string): string => join(directory, name);
    writeFileSync(file('all'), '');
    writeFileSync(file('tell'), '#!/bin/sh\n. ./behaviour\n', { mode: 0o755 });
    const options = { ...common, secrets: [SECRET], directory, path: process.env['PATH'] ?? '' };
    const good = createCommandChannel({ ...options, command: ['./tell', SECRET] });
    const absent = createCommandChannel({ ...options, command: ['./absent', SECRET] });
    let chosen = good;
    return {
      channel: { takes: good.takes, send: (message, signal) => chosen.send(message, signal) },
      impatient: createCommandChannel({ ...options, ...impatient, command: ['./tell', SECRET] }),
      secret: SECRET,
      received: () => readFileSync(file('all'), 'utf8').split('\n').length - 1,
      behave(fault) {
        chosen = fault === 'refused' ? absent : good;
        writeFileSync(file('behaviour'), `${BEHAVIOURS[fault ?? 'well'] ?? ''}\n`);
      },
    };
  },
  // A program that exits with 0 has taken it, whatever it says.
  { without: ['garbage'] },
);
