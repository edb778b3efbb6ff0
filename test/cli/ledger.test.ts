import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seal, unseal } from '../../src/format/index.ts';
import { openRepository } from '../../src/repository/index.ts';
import { createLocalStore } from '../../src/store/local/index.ts';
import { startHttpReceiver } from '../support/channel-servers.ts';
import { document, environment, holdfast, initialise, PASSWORD, writePlan } from '../support/cli.ts';
import { ledgerOf, testDirectory } from '../support/repository.ts';

const directory = testDirectory();
const env = environment({ XDG_STATE_HOME: join(directory, 'state') });
const run = (...words: string[]) => holdfast(directory, words, env);
const at = (...parts: string[]) => join(directory, ...parts);

/** Files of events in the repository, in the order of their names. */
function eventFiles(): string[] {
  const files = readdirSync(at('repository', 'holdfast', 'ledger'), { recursive: true, withFileTypes: true });
  return files.flatMap((each) => (each.isFile() ? join(each.parentPath, each.name) : [])).sort();
}

let office: Awaited<ReturnType<typeof startHttpReceiver>>;
afterAll(() => office.close());

beforeAll(async () => {
  office = await startHttpReceiver();
  mkdirSync(at('data'));
  writeFileSync(at('data', 'file'), 'content');
  writePlan(
    directory,
    `  docs: { type: files, paths: [${at('data')}] }\n  other: { type: files, paths: [${at('missing')}] }`,
    `ledger:
  signingKey: { file: signing.pem }
  checkpoints: { schedule: daily, to: [./kept, ./also-kept], channels: [office] }
alerts: { channels: { office: { type: webhook, url: ${office.url} } } }
`,
  );
  await initialise(directory);
  expect((await run('init')).stdout).toContain('signing.pem, which signs the ledger');
  expect((await run('backup')).exit).toBe(1);
});

describe('ledger log', () => {
  it('shows what happened, oldest first, and only what is asked for', async () => {
    const { events } = document(await run('ledger', 'log', '--json'));
    const made = 'signing-keys.listed';
    expect(events.map(({ kind }: { kind: string }) => kind).sort()).toEqual([
      ...['backup.failed', 'backup.finished', 'key.added', 'kit.made'],
      made,
    ]);
    for (const event of events)
      expect(event).toMatchObject({ repository: 'main', version: 2, actor: expect.stringMatching(/.@./) });
    const kinds = async (...words: string[]) =>
      document(await run('ledger', 'log', '--json', ...words)).events.map(({ kind }: { kind: string }) => kind);
    expect(await kinds('--source', 'other')).toEqual(['backup.failed']);
    expect(await kinds('--kind', 'backup.finished', '--kind', 'backup.failed', '--limit', '1')).toHaveLength(1);
    expect(await kinds('--until', '1h ago')).toEqual([]);
    expect(await kinds('--since', '1h ago', '--actor', '@')).toHaveLength(5);
    expect(await kinds('--actor', 'nobody else')).toEqual([]);
    expect((await run('ledger', 'log')).stdout).toMatch(/backup\.failed +\S+@\S+ +source=other code=/);
  });

  it('refuses what is no number and no time', async () => {
    for (const words of [
      ['--limit', '0'],
      ['--limit', '1.5'],
      ['--since', 'soon'],
    ]) {
      expect((await run('ledger', 'log', ...words)).exit).toBe(2);
    }
  });
});

describe('what is protected', () => {
  it('is not looked into without a record of it', async () => {
    const [{ id }] = document(await run('snapshots', '--json')).snapshots;
    expect((await run('ls', 'latest')).exit).toBe(0);
    expect((await run('ls', id.slice(0, 8), at('data'))).exit).toBe(0);
    expect((await run('diff', 'latest', 'latest')).exit).toBe(0);
    expect((await run('history', 'docs')).exit).toBe(0);
    expect((await run('restore', 'docs', '--to', 'nowhere', '--replace', '--dry-run')).exit).toBe(0);
    const { events } = document(await run('ledger', 'log', '--json', '--kind', 'content.listed'));
    const shown = { snapshot: id, source: 'docs' };
    expect(events.map(({ body }: { body: object }) => body)).toEqual([
      ...[shown, { ...shown, path: at('data') }, shown, shown, shown, shown],
    ]);
  });
});

describe('a ledger that was never signed', () => {
  it('is said to be so, and what that means', async () => {
    const [{ isUnsigned }] = document(await run('ledger', 'verify', '--json')).repositories;
    expect(isUnsigned).toBe(true);
    expect(document(await run('status', '--json')).unsigned).toEqual(['main']);
    for (const words of [['ledger', 'verify'], ['status'], ['doctor']]) {
      const { stdout } = await run(...words);
      expect(stdout, words.join(' ')).toMatch(/no checkpoint was ever made/);
      expect(stdout).not.toContain('untampered,');
    }
  });
});

describe('ledger export', () => {
  it('writes CSV in which nothing is a formula, for its owner alone, and records that', async () => {
    const repository = await openRepository(createLocalStore(at('repository')), PASSWORD);
    const body = { source: '=cmd|calc', code: 'internal', message: 'a "quoted", word', durationMs: 1 };
    await ledgerOf(repository).append('backup.failed', body);
    const { exit } = await run('ledger', 'export', '--format', 'csv', '--out', 'audit.csv', '--kind', 'backup.failed');
    expect(exit).toBe(0);
    const text = readFileSync(at('audit.csv'), 'utf8');
    expect(text.split('\r\n')[0]).toBe('time,repository,kind,sources,actor,writer,sequence,previous,body');
    expect(text).toContain(',"\'=cmd|calc",');
    expect(text).toContain(String.raw`a \""quoted\"", word`);
    expect(statSync(at('audit.csv')).mode & 0o777).toBe(0o600);
    expect((await run('ledger', 'export', '--out', 'audit.csv')).exit).toBe(1);
    const { events } = document(await run('ledger', 'log', '--json', '--kind', 'ledger.exported'));
    expect(events[0].body).toEqual({ repository: 'main', format: 'csv', events: 2 });
  });

  it('prints JSON Lines', async () => {
    const lines = (await run('ledger', 'export', '--kind', 'backup.finished')).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ repository: 'main', kind: 'backup.finished' }]);
  });
});

describe('ledger verify', () => {
  it('says consistent without a checkpoint, and untampered up to one', async () => {
    const [plain] = document(await run('ledger', 'verify', '--json')).repositories;
    expect(plain).toMatchObject({ state: 'consistent', faults: [], left: [], waiting: 0 });
    const [signed] = document(await run('ledger', 'checkpoint', '--json')).repositories;
    expect(signed).toMatchObject({ outcome: 'complete', events: plain.events, sentTo: [at('kept'), at('also-kept')] });
    const [bound] = document(await run('ledger', 'verify', '--json')).repositories;
    expect(bound).toMatchObject({ state: 'untampered', unbound: 1, events: plain.events + 1, isUnsigned: false });
    expect(document(await run('status', '--json')).unsigned).toEqual([]);
    expect((await run('doctor')).stdout).not.toContain('checkpoint');
    const { stdout } = await run('ledger', 'verify');
    expect(stdout).toMatch(/untampered up to \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/);
    expect(statSync(at('signing.pem')).mode & 0o777).toBe(0o600);
  });

  it('takes the copy that a channel got for a checkpoint', async () => {
    const { type, data } = JSON.parse(office.requests.at(-1)!.body);
    expect([type, data.title]).toEqual(['report', expect.stringMatching(/^Checkpoint of main \(test\), .*: SHA-256 /)]);
    writeFileSync(at('received.json'), data.text);
    const words = ['ledger', 'verify', '--checkpoint', 'received.json', '--json'];
    expect(document(await run(...words)).repositories).toMatchObject([{ state: 'untampered' }]);
    const signed = document(await run('ledger', 'log', '--json', '--kind', 'checkpoint.signed')).events;
    expect(signed[0].body).toMatchObject({ channels: ['office'], sha256: data.title.split(' ').at(-1) });
  });

  it('finds with a kept checkpoint what was cut from the end, and believes no other key', async () => {
    const kept = at('kept', readdirSync(at('kept')).find((name) => name.endsWith('.json'))!);
    const { checkpoint } = JSON.parse(readFileSync(kept, 'utf8'));
    const [named] = Object.keys(JSON.parse(checkpoint).heads);
    const cut = eventFiles().findLast((name) => name.includes(named!))!;
    renameSync(cut, at('cut'));
    try {
      const words = ['ledger', 'verify', '--checkpoint', kept, '--public-key', at('signing.pem.pub')];
      const { exit, stdout, stderr } = await run(...words);
      expect({ exit, stdout, stderr }).toEqual({
        exit: 1,
        stdout: expect.stringContaining('not as it was written'),
        stderr: '',
      });
      expect(stdout).toContain(cut.split('/').at(-2));
    } finally {
      renameSync(at('cut'), cut);
    }
    expect((await run('ledger', 'verify', '--checkpoint', kept)).exit).toBe(0);
    writeFileSync(at('forged.json'), readFileSync(kept, 'utf8').replace(/\\"events\\":\d+/, '\\"events\\":1'));
    const forged = await run('ledger', 'verify', '--checkpoint', at('forged.json'));
    expect({ exit: forged.exit, stderr: forged.stderr }).toEqual({
      exit: 1,
      stderr: expect.stringContaining('cannot be believed'),
    });
  });

  it('finds one flipped bit, names the event, and signs nothing then', async () => {
    const [name] = eventFiles();
    const whole = readFileSync(name!);
    const flipped = Buffer.from(whole);
    flipped[20]! ^= 1;
    writeFileSync(name!, flipped);
    try {
      const ran = await run('ledger', 'verify', '--json');
      const object = name!.split('/').slice(-2).join('/');
      expect(document(ran).repositories[0]).toMatchObject({
        state: 'tampered',
        faults: expect.arrayContaining([expect.objectContaining({ what: 'damaged', object })]),
      });
      expect(ran.exit).toBe(1);
      expect((await run('ledger', 'checkpoint')).exit).toBe(1);
    } finally {
      writeFileSync(name!, whole);
    }
    expect((await run('ledger', 'verify')).exit).toBe(0);
  });
});

describe('a ledger that was put in the place of another', () => {
  it('is not vouched for by a checkpoint that came with it', async () => {
    const place = testDirectory();
    const own = environment({ XDG_STATE_HOME: join(place, 'state') });
    const open = (name: string) => openRepository(createLocalStore(join(place, name)), PASSWORD);
    mkdirSync(join(place, 'data'));
    writePlan(
      place,
      `  docs: { type: files, paths: [${join(place, 'data')}] }`,
      'ledger: { signingKey: { file: k.pem } }\n',
    );
    await initialise(place);
    expect((await holdfast(place, ['init'], own)).exit).toBe(0);
    expect((await holdfast(place, ['backup'], own)).exit).toBe(0);
    expect((await holdfast(place, ['ledger', 'checkpoint'], own)).exit).toBe(0);
    const other = await open('repository');
    renameSync(join(place, 'repository'), join(place, 'other'));
    await initialise(place);
    const [from, to] = [await open('other'), await open('repository')];
    for await (const { key } of from.store.list('holdfast/')) {
      if (!/^holdfast\/(ledger|checkpoints)\//.test(key)) continue;
      await to.store.put(key, seal(to.key, unseal(other.key, await from.store.get(key))));
    }
    const { exit, stdout, stderr } = await holdfast(place, ['ledger', 'verify'], own);
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
    expect(stderr).toContain('is a checkpoint of another repository');
  });
});

describe('while the repository is away', () => {
  it('keeps that a backup failed on this machine, shows it, and records it once with the next event when it is back', async () => {
    renameSync(at('repository'), at('elsewhere'));
    writeFileSync(at('repository'), 'not a directory');
    const away = await run('backup', 'docs', '--json');
    expect(document(away).sources?.[0]?.error?.code).toBe('no-repository');
    rmSync(at('repository'));
    renameSync(at('elsewhere'), at('repository'));
    const query = ['ledger', 'log', '--json', '--kind', 'backup.failed', '--source', 'docs'];
    expect(document(await run(...query)).events).toMatchObject([{ isWaiting: true, body: { source: 'docs' } }]);
    expect(document(await run('ledger', 'verify', '--json')).repositories[0].waiting).toBe(1);
    await run('backup', 'docs');
    const [event, ...others] = document(await run(...query)).events;
    expect([event.isWaiting, others]).toEqual([undefined, []]);
    expect(document(await run('ledger', 'verify', '--json')).repositories[0]).toMatchObject({ faults: [], waiting: 0 });
    expect(existsSync(at('state', 'holdfast', 'test', 'journal'))).toBe(true);
  });
});
