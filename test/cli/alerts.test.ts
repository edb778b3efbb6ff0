import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { type HttpReceiver, startHttpReceiver } from '../support/channel-servers.ts';
import { document, environment, holdfast, initialise, PASSWORD, scratchDirectory, writePlan } from '../support/cli.ts';
import { ledgerOf } from '../support/repository.ts';

describe('holdfast alert', () => {
  it('lists what was raised, takes acknowledgements and mutes, and refuses what it cannot do', async () => {
    const { directory, run } = await prepared(LADDER);
    expect(await run('alert', 'list')).toMatchObject({ exit: 0, json: { alerts: [], mutes: [] } });
    const ledger = ledgerOf(await openRepository(createLocalStore(join(directory, 'repository')), PASSWORD));
    const alert = 'a1b2c3d4e5f6';
    await ledger.append('alert.raised', {
      ...{ alert, rule: 'backup-failed', subject: 'files', severity: 'p2', message: 'it failed', endangers: 'all' },
      ...{ since: '2026-03-01T00:00:00Z', command: 'holdfast backup files' },
    });
    const listed = await run('alert', 'list');
    expect(listed.json.alerts).toMatchObject([
      { id: alert, state: 'open', command: 'holdfast backup files', told: [] },
    ]);
    const text = await holdfast(directory, ['alert', 'list']);
    for (const part of ['p2 backup-failed files', 'it failed', 'holdfast backup files', 'On-call engineer +1-555']) {
      expect(text.stdout).toContain(part);
    }
    expect(await run('alert', 'ack', 'a1b2', '--note', 'at it')).toMatchObject({ exit: 0, json: { isNew: true } });
    expect(await run('alert', 'ack', alert)).toMatchObject({ exit: 0, json: { isNew: false } });
    const muted = await run('alert', 'mute', 'backup-failed', 'files', '--for', '2h', '--why', 'moved');
    expect(muted).toMatchObject({ exit: 0, json: { rule: 'backup-failed', subject: 'files', why: 'moved' } });
    expect((await run('alert', 'list')).json).toMatchObject({
      alerts: [{ state: 'acknowledged', acknowledgedNote: 'at it', muted: { why: 'moved' } }],
      mutes: [{ subject: 'files' }],
    });
    await ledger.append('alert.resolved', { alert });
    expect((await run('alert', 'list')).json.alerts).toEqual([]);
    expect((await run('alert', 'list', '--all')).json.alerts).toMatchObject([{ state: 'resolved' }]);
    for (const [words, code, exit] of [
      [['ack', alert], 'unknown-alert', 1],
      [['ack', 'ffff'], 'unknown-alert', 1],
      [['mute', 'no-such-rule', '--for', '1h', '--why', 'w'], 'bad-usage', 2],
      [['mute', 'latency', '--why', 'w'], 'bad-usage', 2],
      [['mute', 'latency', '--for', 'soon', '--why', 'w'], 'bad-usage', 2],
      [['mute', 'latency', '--for', '1h'], 'bad-usage', 2],
      [['test', 'no-such-rule'], 'bad-usage', 2],
    ] as const) {
      expect(await run('alert', ...words)).toMatchObject({ exit, json: { error: { code } } });
    }
  });

  it('sends a test, and says with its exit code whether all, some or none took it', async () => {
    const taking = await startHttpReceiver({ status: 200, body: 'ok' });
    const refusing = await startHttpReceiver({ status: 403 });
    onTestFinished(async () => {
      await Promise.all([taking.close(), refusing.close()]);
    });
    const { run } = await prepared(hooks(taking, refusing));
    expect(await run('alert', 'test', 'stale-lock')).toMatchObject({
      exit: 0,
      json: { channels: [{ channel: 'pager', outcome: 'delivered' }] },
    });
    expect(taking.requests.map(({ body }) => JSON.parse(body).type)).toEqual(['alert.raised', 'alert.resolved']);
    const some = await run('alert', 'test', 'availability');
    expect([some.exit, some.json.channels]).toMatchObject([
      4,
      [{ channel: 'users', outcome: 'failed' }, { channel: 'pager' }],
    ]);
    const none = await prepared(hooks(refusing, refusing));
    expect((await none.run('alert', 'test', 'stale-lock')).exit).toBe(1);
    const nobody = await prepared('');
    expect(await nobody.run('alert', 'test', 'stale-lock')).toMatchObject({ exit: 1, json: { channels: [] } });
  });
});

const LADDER = `
alerts:
  channels: { pager: { type: command, command: [./none] } }
  escalation: [{ after: 0m, notify: [oncall] }]
`;

function hooks(pager: HttpReceiver, users: HttpReceiver): string {
  return `
alerts:
  channels:
    pager: { type: webhook, url: "${pager.url}/pager" }
    users: { type: webhook, url: "${users.url}/users" }
  routes: [{ to: users, rules: [availability] }]
  escalation: [{ after: 0m, notify: [oncall] }]
`;
}

async function prepared(more: string) {
  const directory = scratchDirectory();
  mkdirSync(join(directory, 'data'));
  const contacts = `contacts: { oncall: { role: On-call engineer, phone: "+1-555", channel: pager } }\n`;
  const silent = 'alerts: { channels: { pager: { type: command, command: [./none] } } }';
  const ladder = more === '' ? silent : more;
  writePlan(directory, `  files: { type: files, paths: [${join(directory, 'data')}] }`, `${contacts}${ladder}`);
  await initialise(directory);
  const run = async (...words: string[]) => {
    const ran = await holdfast(directory, [...words, '--json'], environment());
    return { exit: ran.exit, json: document(ran) };
  };
  return { directory, run };
}
