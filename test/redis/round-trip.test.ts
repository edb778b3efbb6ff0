import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Certificates, selfSigned } from '../support/certificates.ts';
import { initialise, PASSWORD, writePlan } from '../support/cli.ts';
import { runHere } from '../support/command-here.ts';
import { fillRedis, freePort, startRedis, type TestRedis } from '../support/redis.ts';
import { requires } from '../support/requirements.ts';

const USER = ['ACL', 'SETUSER', 'backup', 'on', '>s3cret', '~*', '&*', '-@all'];
const ALLOWED = ['+psync', '+replconf', '+ping', '+info', '+time'];

describe.skipIf(!requires('redis'))('a Redis server', () => {
  let server: TestRedis;
  let target: TestRedis;
  let directory: string;
  let plan: string;
  let certificates: Certificates;
  let expiresMs: number;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'redis-plan-'));
    certificates = selfSigned(directory);
    const tlsPort = await freePort();
    const { authority, certificate, key } = certificates;
    const tls = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', authority];
    server = await startRedis(['--tls-port', String(tlsPort), '--tls-auth-clients', 'no', ...tls]);
    target = await startRedis();
    expiresMs = Date.now() + 3_600_000;
    await fillRedis(server, expiresMs);
    await server.run(...USER, ...ALLOWED);
    process.env['HOLDFAST_PASSWORD'] = PASSWORD;
    process.env['REDIS_URL'] = server.url;
    process.env['REDIS_TLS_URL'] = `rediss://backup:s3cret@localhost:${tlsPort}?cacert=${authority}`;
    process.env['REDIS_SOCKET_URL'] = `redis+unix://${server.socket}`;
    const checks =
      'validate: [{ name: many, keys: "long*", count: { atLeast: 5 } }, { name: sees, exec: [redis-cli, -s, "${sandbox.socket}", ping] }]';
    writePlan(
      directory,
      `  cache: { type: redis, url: { env: REDIS_URL }, ${checks} }
  encrypted: { type: redis, url: { env: REDIS_TLS_URL } }
  scanned: { type: redis, url: { env: REDIS_SOCKET_URL }, method: scan }`,
    );
    plan = join(directory, 'holdfast.yaml');
    await initialise(directory);
    expect(await runHere(plan, 'backup')).toMatchObject({ exit: 0 });
  });
  afterAll(async () => {
    await Promise.all([server.stop(), target.stop()]);
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await target.run('FLUSHALL');
    await target.run('FUNCTION', 'FLUSH');
  });

  it.each(['cache', 'encrypted', 'scanned'])('comes back as it was into an empty server, from %s', async (source) => {
    const { exit, json } = await runHere(plan, 'restore', source, '--to', target.url);
    expect({ exit, items: json.items, problems: json.problems }).toEqual({ exit: 0, items: 24, problems: [] });
    expect(await target.digest()).toBe(await server.digest());
    expect(await target.run('PEXPIRETIME', 'expiring')).toBe(expiresMs);
    expect(String(await target.run('FUNCTION', 'LIST'))).toContain('lib');
    expect(String(await target.run('INFO', 'replication'))).toContain('role:master');
    // As the server's own setting has it: with functions in it, some end themselves where the RDB is loaded as it comes.
    expect(target.log()).toContain(' to disk');
    expect(target.log()).not.toContain(' to parser');
  });

  it('is proven in a sandbox, with the checks of the plan', async () => {
    const { exit, json } = await runHere(plan, 'verify', 'cache', 'scanned');
    expect(exit).toBe(0);
    for (const proof of json.proofs) expect(proof).toMatchObject({ state: 'proven', checksFailed: [] });
    const names = json.proofs[0].checks.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(['manifest', 'keys db0 stream', 'keys db9 hash', 'functions']));
    expect(names).toEqual(expect.arrayContaining(['validate: many', 'validate: sees']));
  });

  it('has a history of its keys, by database and type', async () => {
    const { json } = await runHere(plan, 'history', 'cache');
    const { items } = json.points[0];
    expect(items).toContainEqual({ item: 'db0', count: 22, unit: 'keys' });
    expect(items).toContainEqual({ item: 'db9 hash', count: 1, unit: 'keys', within: 'db9' });
    const one = await runHere(plan, 'history', 'cache', 'db0 stream');
    expect(one.json.points[0].items).toEqual([{ item: 'db0 stream', count: 1, unit: 'keys', within: 'db0' }]);
  });

  it('comes back key by key where a server refuses to be a replica, and says so', async () => {
    await target.run('ACL', 'SETUSER', 'keys', 'on', '>pw', '~*', '+@all', '-replicaof', '-psync');
    const url = target.url.replace('//', '//keys:pw@');
    const { exit, json } = await runHere(plan, 'restore', 'cache', '--to', url);
    expect(exit).toBe(0);
    expect(json.notes[0]).toContain('one by one, since it refuses to be a replica');
    expect(JSON.stringify(json)).not.toContain('pw@');
    expect(await target.digest()).toBe(await server.digest());
    expect(await target.run('PEXPIRETIME', 'expiring')).toBe(expiresMs);
  });

  it('comes back in part beside other keys, and replaces none of them', async () => {
    await target.run('SET', 'list', 'mine');
    const { exit, json } = await runHere(plan, 'restore', 'cache', '--to', target.url, '--only', 'l?st', 'hash');
    expect({ exit, items: json.items }).toEqual({ exit: 3, items: 2 });
    expect(json.problems).toEqual([{ path: '0:list', message: 'is there already, and was left alone' }]);
    expect(String(await target.run('GET', 'list'))).toBe('mine');
    expect(String(await target.run('HGET', 'hash', 'f'))).toBe('v');
  });

  it('is not restored in part where a pattern names nothing, whatever the others name', async () => {
    for (const patterns of [['nothing*'], ['l?st', 'nothing*']]) {
      const none = await runHere(plan, 'restore', 'cache', '--to', target.url, '--only', ...patterns);
      expect(none).toMatchObject({ exit: 1, json: { error: { code: 'path-missing' } } });
      expect(none.json.error.message).toMatch(/nothing\*$/);
      expect(await target.run('DBSIZE')).toBe(0);
    }
  });

  it('fails where the user may restore no key, and says what the server says where it may not choose a database', async () => {
    for (const command of ['restore', 'select']) {
      await target.run('ACL', 'SETUSER', command, 'on', '>pw', '~*', '+@all', '-replicaof', `-${command}`);
      const to = target.url.replace('//', `//${command}:pw@`);
      const { exit, json } = await runHere(plan, 'restore', 'cache', '--to', to);
      expect({ exit, error: json.error }).toMatchObject({ exit: 1, error: { code: 'target-failed' } });
      expect(json.error.message).toMatch(new RegExp(`NOPERM .* has no permissions to run the '${command}' command`));
    }
  });

  it('is said not to be replaced, and how it is emptied', async () => {
    const { exit, json } = await runHere(plan, 'restore', 'cache', '--to', target.url, '--replace', '--confirm', 'x');
    expect({ exit, hint: json.error.hint }).toEqual({ exit: 1, hint: expect.stringContaining('FLUSHALL') });
  });

  it('comes back in part once more, as after a kill, where what is there is what comes', async () => {
    await target.run('DEL', 'list');
    const restoring = () => runHere(plan, 'restore', 'cache', '--to', target.url, '--only', '*');
    const first = await restoring();
    expect([first.exit, first.json.problems]).toEqual([0, []]);
    const again = await restoring();
    expect([again.exit, again.json.problems, again.json.items]).toEqual([0, [], first.json.items]);
    await target.run('PEXPIRE', 'expiring', '1000000');
    expect((await restoring()).json.problems).toMatchObject([{ path: '0:expiring' }]);
  });

  it('is not restored over anything, nor to what cannot take it', async () => {
    await target.run('SET', 'mine', '1');
    const refused = await runHere(plan, 'restore', 'cache', '--to', target.url);
    expect(refused).toMatchObject({ exit: 1, json: { error: { code: 'target-not-empty' } } });
    await target.run('FLUSHALL');
    await target.run('REPLICAOF', '127.0.0.1', 1);
    const replica = await runHere(plan, 'restore', 'cache', '--to', target.url);
    await target.run('REPLICAOF', 'NO', 'ONE');
    expect(replica).toMatchObject({ exit: 1, json: { error: { code: 'target-unsuitable' } } });
    const small = await startRedis(['--databases', '2']);
    try {
      const few = await runHere(plan, 'restore', 'cache', '--to', small.url);
      expect(few).toMatchObject({ exit: 1, json: { error: { code: 'target-unsuitable' } } });
    } finally {
      await small.stop();
    }
  });

  it('comes back as the file that a server starts with, and is not outvoted by another', async () => {
    const data = join(directory, 'data');
    mkdirSync(data, { mode: 0o750 });
    // As servers from version 7 on have it, and those before; to replace what is there does not make it less.
    for (const name of ['appendonlydir', 'appendonly.aof']) {
      mkdirSync(join(data, name));
      for (const more of [[], ['--replace', '--confirm', 'data']]) {
        const outvoted = await runHere(plan, 'restore', 'cache', '--to', data, ...more);
        expect(outvoted).toMatchObject({ exit: 1, json: { error: { code: 'target-unsuitable' } } });
        expect(outvoted.json.error.message).toContain(name);
      }
      rmSync(join(data, name), { recursive: true });
    }
    expect(await runHere(plan, 'restore', 'cache', '--to', data)).toMatchObject({ exit: 0 });
    expect((statSync(join(data, 'dump.rdb')).mode & 0o777).toString(8)).toBe('640');
    const started = await startRedis(['--dir', data]);
    try {
      expect(await started.digest()).toBe(await server.digest());
    } finally {
      await started.stop();
    }
    writeFileSync(join(data, 'dump.rdb'), 'of another time');
    const kept = await runHere(plan, 'restore', 'cache', '--to', data);
    expect(kept).toMatchObject({ exit: 1, json: { error: { code: 'target-not-empty' } } });
    expect(await runHere(plan, 'restore', 'cache', '--to', data, '--replace', '--confirm', 'data')).toMatchObject({
      exit: 0,
    });
    expect(statSync(join(data, 'dump.rdb')).size).toBeGreaterThan(1000);
  });

  it('is compared with what it was, key by key', async () => {
    expect(await runHere(plan, 'compare', 'cache')).toMatchObject({ exit: 0, json: { equal: true, compared: 24 } });
    await runHere(plan, 'restore', 'cache', '--to', target.url);
    await target.all([
      ['SET', 'text', 'other'],
      ['DEL', 'zset'],
      ['SET', 'new', '1'],
      ['PERSIST', 'expiring'],
    ]);
    const { json } = await runHere(plan, 'compare', 'cache', '--with', target.url);
    const found = json.differences.map(({ item, kind }: { item: string; kind: string }) => `${item} ${kind}`);
    expect(found.sort()).toEqual([
      'key 0:expiring content',
      'key 0:new extra',
      'key 0:text content',
      'key 0:zset missing',
      'keys db0 string rows',
      'keys db0 zset rows',
    ]);
  });

  it('is looked at by doctor, which says what a user lacks', async () => {
    await server.run('ACL', 'SETUSER', 'backup', '-psync', '-replconf');
    const { json } = await runHere(plan, 'doctor');
    await server.run('ACL', 'SETUSER', 'backup', '+psync', '+replconf');
    const of = (name: string) => json.sources.find(({ source }: { source: string }) => source === name).findings;
    expect(of('cache').map(({ level }: { level: string }) => level)).toEqual(expect.arrayContaining(['ok']));
    expect(JSON.stringify(of('encrypted'))).toContain('+psync');
    expect(JSON.stringify(of('scanned'))).toContain('not of one moment');
  });

  it('is looked at by doctor as a backup asks it, which begins nothing', async () => {
    const findings = async (source: string) => (await runHere(plan, 'doctor', source)).json.sources[0].findings;
    const saves = async () => /sync_full:\d+/.exec(String(await server.run('INFO', 'stats')))![0];
    const before = await saves();
    expect(await findings('encrypted')).toContainEqual(expect.objectContaining({ level: 'ok', about: 'replication' }));
    await server.run('ACL', 'SETUSER', 'backup', '-psync');
    const [, replication] = await findings('encrypted');
    await server.run('ACL', 'SETUSER', 'backup', '+psync');
    expect([replication.level, replication.message]).toEqual(['missing', expect.stringContaining("'psync' command")]);
    expect(await saves()).toBe(before);
  });

  it('is looked at by doctor for what reading key by key takes', async () => {
    const keys = async () => {
      const [, found] = (await runHere(plan, 'doctor', 'scanned')).json.sources[0].findings;
      return [found.level, found.message];
    };
    expect((await keys())[0]).toBe('ok');
    for (const lacking of ['-scan', '-dump', '-function', '-select', '-pttl -pexpiretime', 'resetkeys ~list']) {
      await server.run('ACL', 'SETUSER', 'default', ...lacking.split(' '));
      const found = await keys();
      await server.run('ACL', 'SETUSER', 'default', '+@all', '~*');
      expect(found, lacking).toEqual(['missing', expect.stringContaining('NOPERM')]);
    }
  });

  it('is looked at by doctor for what following its stream takes', async () => {
    const followed = join(directory, 'followed.yaml');
    writeFileSync(followed, readFileSync(plan, 'utf8').replace('env: REDIS_TLS_URL }', '$&, stream: true'));
    const stream = async () => {
      const { sources } = (await runHere(followed, 'doctor')).json;
      const { findings } = sources.find(({ source }: { source: string }) => source === 'encrypted');
      return findings.find(({ about }: { about: string }) => about === 'stream');
    };
    const lacking = await stream();
    expect([lacking.level, lacking.mend.lines[0]]).toEqual(['missing', expect.stringContaining('+multi +exec')]);
    await server.run('ACL', 'SETUSER', 'backup', '+multi', '+exec');
    expect(await stream()).toMatchObject({ level: 'ok' });
    await server.run('ACL', 'SETUSER', 'backup', '-multi', '-exec');
  });
});
