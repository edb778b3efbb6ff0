import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  encodeStatement,
  fingerprintOf,
  newSigningKey,
  parseSigningKey,
  publicKeyOf,
  sealEnvelope,
} from '../../src/evidence/index.ts';
import { document, environment, holdfast, initialise, scratchDirectory, writePlan } from '../support/cli.ts';
import { testDirectory } from '../support/repository.ts';

const place = testDirectory();
const env = environment({ XDG_STATE_HOME: join(place, 'state'), XDG_CACHE_HOME: join(place, 'cache') });
const run = (directory: string, ...words: string[]) => holdfast(directory, ['--no-progress', ...words], env);
const json = async (directory: string, ...words: string[]) => document(await run(directory, '--json', ...words));

/** A plan with a proof, a drill and a key, and evidence of them in `evidence`. */
beforeAll(async () => {
  mkdirSync(join(place, 'data'));
  writeFileSync(join(place, 'data', 'file'), 'content');
  const steps = '[{ id: say, do: note, text: it }]';
  const runbook = `noted: { scenario: Something has happened, steps: ${steps} }`;
  writePlan(
    place,
    `  docs: { type: files, paths: [${join(place, 'data')}] }`,
    `ledger: { signingKey: { file: signing.pem } }\nrunbooks: { ${runbook} }\n`,
  );
  await initialise(place);
  for (const words of [['init'], ['backup'], ['verify'], ['ledger', 'checkpoint']]) {
    const { exit, stderr } = await run(place, ...words);
    expect(exit, stderr).toBe(0);
  }
  await run(place, 'drill', 'noted');
  await run(place, 'recover', 'noted');
  expect((await run(place, 'evidence', 'export')).exit).toBe(0);
});

/** The same by itself, so that a test may change it. */
function copied(): string {
  const directory = mkdtempSync(join(tmpdir(), 'evidence-'));
  cpSync(place, directory, { recursive: true });
  return directory;
}

const fileOf = (directory: string, kind: string): string => {
  const names = readdirSync(join(directory, 'evidence'));
  return join(directory, 'evidence', names.find((name) => name.startsWith(kind) && name.endsWith('.jsonl'))!);
};

/** An object of the ledger. */
function firstEventIn(directory: string): string {
  const ledger = join(directory, 'repository/holdfast/ledger');
  const paths = readdirSync(ledger, { recursive: true }).map((path) => join(ledger, String(path)));
  return paths.find((path) => statSync(path).isFile())!;
}

/** Without the characters that say where it is, in the middle of the value of a member. */
function edited(text: string, member: string): string {
  const at = text.indexOf(`"${member}":"`) + member.length + 20;
  return text.slice(0, at) + (text[at] === 'a' ? 'b' : 'a') + text.slice(at + 1);
}

describe('evidence export', () => {
  it('writes a statement for each proof, drill and incident, for its owner alone, and records that', async () => {
    const names = readdirSync(join(place, 'evidence')).sort();
    expect(names).toEqual([
      expect.stringMatching(/^compliance-\d{8}T\d{6}Z-\d{8}T\d{6}Z\.html$/),
      expect.stringMatching(/^compliance-.*\.intoto\.jsonl$/),
      expect.stringMatching(/^drill-[0-9a-f]+\.html$/),
      expect.stringMatching(/^drill-[0-9a-f]+\.intoto\.jsonl$/),
      expect.stringMatching(/^incident-[0-9a-f]+\.html$/),
      expect.stringMatching(/^incident-[0-9a-f]+\.intoto\.jsonl$/),
      expect.stringMatching(/^proof-docs-\d{8}T\d{6}Z-[0-9a-f]{8}-\d+\.intoto\.jsonl$/),
      'signing-keys.intoto.jsonl',
    ]);
    expect(statSync(fileOf(place, 'proof')).mode & 0o777).toBe(0o600);
    const { payload } = JSON.parse(readFileSync(fileOf(place, 'proof'), 'utf8'));
    const statement = JSON.parse(Buffer.from(payload, 'base64').toString());
    const [{ id }] = (await json(place, 'snapshots')).snapshots;
    expect(statement).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: `snapshots/${id}`, digest: { sha256: id } }, { name: /^tree/ }],
      predicateType: 'urn:holdfast:evidence:proof:1',
      predicate: { plan: 'test', proof: { state: 'proven' }, events: [{ kind: 'proof.recorded', repository: 'main' }] },
    });
    const { events } = await json(place, 'ledger', 'log', '--kind', 'evidence.signed');
    expect(events[0].body.files.map(({ name }: { name: string }) => name).sort()).toEqual(names);
  });

  it('keeps what is there and right, and writes anew what is not', async () => {
    const directory = copied();
    const [good, bad] = [fileOf(directory, 'drill'), fileOf(directory, 'proof')];
    const before = readFileSync(good, 'utf8');
    writeFileSync(bad, edited(readFileSync(bad, 'utf8'), 'payload'));
    const { evidence } = await json(directory, 'evidence', 'export', '--kind', 'proof', '--kind', 'drill');
    expect(evidence).toMatchObject([
      { kind: 'proof', state: 'renewed' },
      { kind: 'drill', state: 'kept' },
    ]);
    expect(readFileSync(good, 'utf8')).toBe(before);
    expect((await run(directory, 'report', 'verify', bad)).exit).toBe(0);
  });

  it('says what is known by now of an incident that it was exported of before', async () => {
    const directory = copied();
    const [{ id }] = (await json(directory, 'incident', 'list', '--all')).incidents;
    expect((await run(directory, 'review', 'record', `incident-${id}`, '--attended', 'Anna')).exit).toBe(0);
    const exported = async () => (await json(directory, 'evidence', 'export', '--kind', 'incident')).evidence;
    expect(await exported()).toMatchObject([{ kind: 'incident', state: 'updated' }]);
    expect(await exported()).toMatchObject([{ kind: 'incident', state: 'kept' }]);
    expect(readFileSync(fileOf(directory, 'incident').replace('.intoto.jsonl', '.html'), 'utf8')).toContain('Anna');
  });

  it('waits for no named pipe that lies in its place', async () => {
    const directory = copied();
    const proof = fileOf(directory, 'proof');
    rmSync(proof);
    execFileSync('mkfifo', [proof]);
    const { exit, stderr } = await run(directory, 'evidence', 'export');
    expect([exit, stderr]).toEqual([1, expect.stringContaining('is in the way and cannot be read: it is a pipe')]);
  });

  it('refuses what is no period and no kind, and signs nothing without a key', async () => {
    const wrong = [
      ['--kind', 'rumour'],
      ['--from', '1h ago', '--to', '2h ago'],
      ['--from', 'soon'],
      ['--from', 'latest'],
    ];
    for (const words of wrong) expect((await run(place, 'evidence', 'export', ...words)).exit, words.join(' ')).toBe(2);
    const empty = await json(place, 'evidence', 'export', '--kind', 'drill', '--to', '1h ago', '--out', 'nothing');
    expect(empty.evidence).toEqual([]);
    const directory = copied();
    const plan = readFileSync(join(directory, 'holdfast.yaml'), 'utf8');
    writeFileSync(join(directory, 'holdfast.yaml'), plan.replace(/^ledger:.*$/m, ''));
    const unsigned = await run(directory, 'evidence', 'export');
    expect([unsigned.exit, unsigned.stderr]).toEqual([2, expect.stringContaining('signingKey: { file: signing.pem }')]);
  });
});

describe('report verify', () => {
  it('says what was signed by which key and when, and whether documents are the same', async () => {
    const files = readdirSync(join(place, 'evidence')).filter((name) => name.endsWith('.jsonl'));
    const { exit, stdout } = await run(place, 'report', 'verify', ...files.map((name) => `evidence/${name}`));
    expect([exit, stdout]).toEqual([0, expect.stringContaining('5 statements verified')]);
    expect(stdout).toMatch(/docs: proven\n {2}proof of test, signed \d{4}-.*Z by the key [0-9a-f]{16}/);
    expect(stdout).toMatch(/incident-[0-9a-f]+\.html: is as it was signed/);
  });

  it('refuses one changed character, in payload, signature and name of the key, and a document that is another one', async () => {
    const directory = copied();
    const file = fileOf(directory, 'incident');
    const text = readFileSync(file, 'utf8');
    for (const member of ['payload', 'sig', 'keyid']) {
      writeFileSync(file, edited(text, member));
      const { exit, stdout } = await run(directory, 'report', 'verify', file);
      expect([exit, stdout], member).toEqual([1, expect.stringContaining('REFUSED')]);
    }
    writeFileSync(file, text);
    const page = file.replace('.intoto.jsonl', '.html');
    writeFileSync(page, readFileSync(page, 'utf8').replace('</html>', '</html> '));
    const changed = await json(directory, 'report', 'verify', file);
    expect(changed).toMatchObject({ verdict: 'refused', evidence: [{ subjects: [{ state: 'changed' }] }] });
    rmSync(page);
    expect(await json(directory, 'report', 'verify', file)).toMatchObject({
      verdict: 'verified',
      evidence: [{ kind: 'incident', subjects: [{ state: 'absent' }] }],
    });
    const both = join(directory, 'bundle.jsonl');
    writeFileSync(both, text + edited(text, 'payload'));
    const { evidence } = await json(directory, 'report', 'verify', both);
    expect(evidence).toMatchObject([
      { line: 1, verdict: 'verified' },
      { line: 2, verdict: 'refused' },
    ]);
    expect((await run(directory, 'report', 'verify', 'absent.jsonl')).exit).toBe(1);
  });

  it('shows nothing of evidence that would have a terminal show something else', async () => {
    const key = parseSigningKey(newSigningKey());
    const signing = { plan: 'shop\u001b[2J', key: fingerprintOf(key), signedAt: '2026-01-01T00:00:00Z' };
    const subject = { name: 'a\u202eb', sha256: 'ab'.repeat(32) };
    const title = 'all is well\u001b[1A\u001b[2Kverified forged.jsonl\nverified another.jsonl';
    const said = { ...signing, title, tool: { name: 'holdfast', version: '1' } };
    const file = join(testDirectory(), 'forged.jsonl');
    writeFileSync(file, sealEnvelope(encodeStatement('compliance', [subject], said), [key]));
    writeFileSync(`${file}.pub`, publicKeyOf(key));
    for (const words of [[file], ['--public-key', `${file}.pub`, file]]) {
      const { exit, stdout } = await run(place, 'report', 'verify', ...words);
      expect([exit, stdout.trimEnd()]).toEqual([words.length > 1 ? 0 : 1, expect.stringContaining('all is well')]);
      expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
      expect(stdout.match(/^verified/gm)?.length ?? 0).toBe(words.length > 1 ? 1 : 0);
    }
  });

  it('needs no plan with a public key, and believes no other one', async () => {
    const elsewhere = scratchDirectory();
    cpSync(join(place, 'evidence'), join(elsewhere, 'evidence'), { recursive: true });
    cpSync(join(place, 'signing.pem.pub'), join(elsewhere, 'key.pub'));
    const file = fileOf(elsewhere, 'proof');
    const without = await run(elsewhere, 'report', 'verify', file);
    expect([without.exit, without.stderr]).toEqual([2, expect.stringContaining('--public-key')]);
    expect((await run(elsewhere, 'report', 'verify', '--public-key', 'key.pub', file)).exit).toBe(0);
    expect(await run(copied(), 'evidence', 'keys')).toMatchObject({ exit: 0 });
    writeFileSync(join(elsewhere, 'other.pem'), newSigningKey());
    const refused = await json(elsewhere, 'report', 'verify', '--public-key', 'other.pem', file);
    expect(refused).toMatchObject({ verdict: 'refused', notes: [expect.stringMatching(/revoked is not known/)] });
  });
});

describe('the lines of the documentation for openssl', () => {
  const page = readFileSync(new URL('../../docs/evidence.md', import.meta.url), 'utf8');
  const [, lines = ''] = /## With openssl alone\n.*?```sh\n(.*?)```/s.exec(page) ?? [];
  const verified = (key: string, file: string): boolean => {
    const script = lines.replace(/^KEY=.*$/m, `KEY='${key}'`).replace(/^FILE=.*$/m, `FILE='${file}'`);
    expect(script).not.toBe(lines);
    const { status, stdout } = spawnSync('sh', ['-c', script], {
      encoding: 'utf8',
      env: { PATH: env['PATH'], TMPDIR: tmpdir() },
    });
    return status === 0 && stdout.includes('Signature Verified Successfully');
  };

  it('verify each file with the public key alone', () => {
    for (const kind of ['proof', 'drill', 'incident', 'compliance', 'signing-keys']) {
      expect(verified(join(place, 'signing.pem.pub'), fileOf(place, kind)), kind).toBe(true);
    }
  });

  it('refuse one changed character, in payload, signature and name of the key, and another key', () => {
    const directory = copied();
    const [key, file] = [join(directory, 'signing.pem.pub'), fileOf(directory, 'proof')];
    const text = readFileSync(file, 'utf8');
    for (const member of ['payload', 'sig', 'keyid', 'payloadType']) {
      writeFileSync(file, edited(text, member));
      expect(verified(key, file), member).toBe(false);
    }
    writeFileSync(file, text);
    writeFileSync(key, publicKeyOf(newSigningKey()));
    expect(verified(key, file)).toBe(false);
  });
});

describe('signing keys', () => {
  it('are rotated: old evidence and checkpoints stay good, new ones are of the new key', async () => {
    const directory = copied();
    const [{ key: before }] = (await json(directory, 'evidence', 'keys')).keys;
    const rotated = await json(directory, 'evidence', 'rotate', '--why', 'yearly');
    expect(rotated).toMatchObject({ change: 'rotated', keys: [{ key: before }, { key: rotated.key }] });
    expect(rotated.checkpoints).toMatchObject([{ repository: 'main', outcome: 'complete' }]);
    expect(statSync(join(directory, 'signing.pem')).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory).filter((name) => /next|part/.test(name))).toEqual([]);
    expect((await json(directory, 'report', 'verify', fileOf(directory, 'proof'))).verdict).toBe('verified');
    expect((await json(directory, 'ledger', 'verify')).repositories[0]).toMatchObject({ state: 'untampered' });
    const [again] = (await json(directory, 'evidence', 'export', '--kind', 'proof', '--out', 'again')).evidence;
    const own = ['--public-key', 'signing.pem.pub', `again/${again.file}`];
    expect((await json(directory, 'report', 'verify', ...own)).evidence[0]).toMatchObject({ key: rotated.key });
    // The list beside it is of the new key, and has the old one.
    cpSync(fileOf(directory, 'drill'), join(directory, 'again', 'old.jsonl'));
    const old = ['--public-key', 'signing.pem.pub', 'again/old.jsonl'];
    expect((await json(directory, 'report', 'verify', ...old)).evidence[0]).toMatchObject({
      verdict: 'verified',
      key: before,
    });
  });

  it('are rotated to the end by the same again, wherever that was cut off', async () => {
    const directory = copied();
    const at = (name: string) => join(directory, name);
    const old = readFileSync(at('signing.pem'), 'utf8');
    const { key } = await json(directory, 'evidence', 'rotate');
    // As if it had been killed between the record and the file.
    renameSync(at('signing.pem'), at('signing.pem.next'));
    writeFileSync(at('signing.pem'), old, { mode: 0o600 });
    const refused = await run(directory, 'evidence', 'export');
    expect([refused.exit, refused.stderr]).toEqual([1, expect.stringMatching(/was replaced at .*same command again/s)]);
    expect((await run(directory, 'report', 'verify', fileOf(directory, 'proof'))).exit).toBe(1);
    expect(await json(directory, 'evidence', 'rotate')).toMatchObject({ change: 'finished', key });
    expect((await json(directory, 'evidence', 'keys')).keys).toHaveLength(2);
  });

  it('are in the ledger of a repository that the plan has later as well', async () => {
    const directory = copied();
    await run(directory, 'evidence', 'rotate');
    const plan = readFileSync(join(directory, 'holdfast.yaml'), 'utf8')
      .replace(/^sources:$/m, '  newer: { store: ./newer, password: { env: HOLDFAST_PASSWORD } }\nsources:')
      .replace(
        /(docs: .*) }$/m,
        `$1, repository: main }\n  more: { type: files, paths: [${directory}/data], repository: newer }`,
      );
    writeFileSync(join(directory, 'holdfast.yaml'), plan);
    await initialise(directory, 'newer');
    expect((await run(directory, 'evidence', 'export', '--kind', 'proof')).exit).toBe(0);
    const { events } = await json(directory, 'ledger', 'log', '--kind', 'signing-keys.listed');
    const bodiesIn = (name: string) =>
      events.flatMap(({ repository, body }: { repository: string; body: object }) =>
        repository === name ? [body] : [],
      );
    expect(bodiesIn('newer')).toEqual([bodiesIn('main').at(-1)]);
  });

  it('are refused where somebody put another one there, until that is recorded', async () => {
    const directory = copied();
    writeFileSync(join(directory, 'signing.pem'), newSigningKey());
    const refused = await run(directory, 'evidence', 'export');
    expect([refused.exit, refused.stderr]).toEqual([1, expect.stringContaining('holdfast evidence rotate')]);
    expect(await json(directory, 'evidence', 'rotate')).toMatchObject({ change: 'rotated', keys: [{}, {}] });
    expect((await run(directory, 'evidence', 'export', '--kind', 'drill', '--out', 'new')).exit).toBe(0);
  });

  it('vouch for the ledger up to when they were rotated, and not at all once they are revoked', async () => {
    const directory = copied();
    const stateOf = async (): Promise<string> => (await json(directory, 'ledger', 'verify')).repositories[0].state;
    /** As if it had been killed before the ledger was signed anew. */
    const cutOff = (): void => {
      const checkpoints = join(directory, 'repository', 'holdfast', 'checkpoints');
      const [newest] = readdirSync(checkpoints).sort().reverse();
      rmSync(join(checkpoints, newest!));
    };
    const [{ key }] = (await json(directory, 'evidence', 'keys')).keys;
    const event = firstEventIn(directory);
    await run(directory, 'evidence', 'rotate');
    cutOff();
    expect(await stateOf()).toBe('untampered');
    const whole = readFileSync(event);
    writeFileSync(event, whole.toReversed());
    // What this machine keeps of the ledger would be believed for a moment.
    const words = ['ledger', 'verify', '--json'];
    const damaged = await holdfast(directory, words, { ...env, XDG_CACHE_HOME: join(directory, 'no-cache') });
    expect([damaged.exit, document(damaged).repositories], damaged.stderr).toMatchObject([
      1,
      [{ state: 'tampered', faults: expect.arrayContaining([expect.objectContaining({ what: 'damaged' })]) }],
    ]);
    writeFileSync(event, whole);
    await run(directory, 'evidence', 'revoke', key, '--why', 'somebody has it');
    cutOff();
    expect(await stateOf()).toBe('consistent');
    expect((await run(directory, 'ledger', 'checkpoint')).exit).toBe(0);
    expect(await stateOf()).toBe('untampered');
  });

  it('vouch for nothing where somebody has put a revoked one back, nor sign', async () => {
    const directory = copied();
    const [{ key }] = (await json(directory, 'evidence', 'keys')).keys;
    const stolen = readFileSync(join(directory, 'signing.pem'));
    expect((await run(directory, 'evidence', 'revoke', key, '--why', 'somebody has it')).exit).toBe(0);
    // All that is left is what the revoked key has signed.
    const checkpoints = join(directory, 'repository', 'holdfast', 'checkpoints');
    rmSync(join(checkpoints, readdirSync(checkpoints).sort().at(-1)!));
    writeFileSync(join(directory, 'signing.pem'), stolen);
    for (const words of [
      ['ledger', 'verify'],
      ['ledger', 'checkpoint'],
    ]) {
      const { exit, stdout, stderr } = await run(directory, ...words);
      expect([exit, stdout + stderr], words.join(' ')).toEqual([1, expect.stringMatching(/was revoked at/)]);
    }
  });

  it('are revoked: nothing of them is believed, and the evidence is signed anew', async () => {
    const directory = copied();
    const [{ key }] = (await json(directory, 'evidence', 'keys')).keys;
    expect((await run(directory, 'evidence', 'revoke', key.slice(0, 8))).exit).toBe(2);
    expect((await run(directory, 'evidence', 'revoke', 'ffff', '--why', 'x')).exit).toBe(1);
    const why = ['--since', '1h ago', '--why', 'the laptop was stolen'];
    const revoked = await json(directory, 'evidence', 'revoke', key.slice(0, 8), ...why);
    expect(revoked.keys).toMatchObject([{ key, revoked: { why: 'the laptop was stolen' } }, { key: revoked.key }]);
    expect(await json(directory, 'evidence', 'revoke', key, ...why)).toMatchObject({ change: 'none' });
    const file = fileOf(directory, 'proof');
    const { exit, stdout } = await run(directory, 'report', 'verify', file);
    expect([exit, stdout]).toEqual([1, expect.stringMatching(/was revoked at .*the laptop was stolen/)]);
    expect((await json(directory, 'ledger', 'verify')).repositories[0]).toMatchObject({ state: 'untampered' });
    const { evidence } = await json(directory, 'evidence', 'export', '--kind', 'proof', '--kind', 'drill');
    expect(evidence).toMatchObject([{ state: 'renewed' }, { state: 'renewed' }]);
    expect((await json(directory, 'report', 'verify', file)).evidence[0]).toMatchObject({ key: revoked.key });
  });

  it('that were revoked make a kit outdated which holds them', async () => {
    const directory = copied();
    const [{ key }] = (await json(directory, 'evidence', 'keys')).keys;
    expect((await run(directory, 'evidence', 'rotate')).exit).toBe(0);
    const { passphrase } = await json(directory, 'kit');
    const checked = async () =>
      document(await holdfast(directory, ['--json', 'kit', 'check'], { ...env, HOLDFAST_KIT_PASSPHRASE: passphrase }));
    expect(await checked()).toMatchObject({ outcome: 'current' });
    expect((await run(directory, 'evidence', 'revoke', key, '--why', 'stolen')).exit).toBe(0);
    const problems = [expect.stringMatching(new RegExp(`${key.slice(0, 8)}.* was revoked`))];
    expect(await checked()).toMatchObject({ outcome: 'outdated', problems });
  });
});
