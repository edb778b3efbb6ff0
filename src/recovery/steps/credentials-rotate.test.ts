import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startTestServer, type TestServer } from '../../../test/support/postgres.ts';
import { RedisServer } from '../../../test/support/redis-server.ts';
import { testDirectory } from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { SecretManagerServer } from '../../../test/support/secret-manager-server.ts';
import { describeStep } from '../../../test/support/step-conformance.ts';
import { bareWorkspace, contextOf } from '../../../test/support/steps.ts';
import type { Plan } from '../../plan/index.ts';
import { Connection } from '../../source/redis/connection/connection.ts';
import { parseLocation } from '../../source/redis/connection/location.ts';
import { credentialsRotate } from './credentials-rotate.ts';
import { isolate } from './isolate.ts';

const OLD = 'old-and-known-to-others';
const SECRET = 'projects/omni/secrets/app-password';

describe.skipIf(!requires('postgresql'))('roles of PostgreSQL', () => {
  let server: TestServer;
  let secrets: SecretManagerServer;
  const directory = testDirectory();
  const file = join(directory, 'app.password');
  beforeAll(async () => {
    [server, secrets] = await Promise.all([
      startTestServer({ settings: { log_statement: 'ddl' } }),
      new SecretManagerServer().start(),
    ]);
    secrets.put(SECRET, ['before']);
    await server.query('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE open LOGIN; CREATE ROLE nobody NOLOGIN');
    const hba = 'local all postgres trust\nlocal all open trust\nlocal all all scram-sha-256\n';
    writeFileSync(join(server.dataDirectory, 'pg_hba.conf'), hba);
    await server.query('postgres', 'SELECT pg_reload_conf()');
    await leak();
  });
  afterAll(async () => {
    secrets.stop();
    await server.stop();
  });
  const leak = () => server.query('postgres', `ALTER ROLE app PASSWORD '${OLD}'`);

  const context = (more: object = {}, options = {}) => {
    const source = { name: 'db', type: 'postgres', url: { env: 'URL' } };
    const plan = { directory, sources: new Map([['db', source]]) } as unknown as Partial<Plan>;
    const old = server.url('postgres', 'app').replace('app@', `app:${OLD}@`);
    const variables = { URL: old, ADMIN: server.adminUrl, SECRET_MANAGER_EMULATOR_HOST: secrets.host };
    const document = {
      ...{
        do: 'credentials.rotate',
        source: 'db',
        url: { env: 'ADMIN' },
        users: ['app'],
        into: { app: 'app.password' },
      },
      ...more,
    } as { do: 'credentials.rotate' };
    return contextOf(bareWorkspace(plan, { variables }), document, options);
  };
  const client = (password: string) => {
    const made = new pg.Client({ connectionString: server.url('postgres', 'app').replace('app@', `app:${password}@`) });
    made.on('error', () => {});
    return made;
  };
  const entered = async (password: string): Promise<boolean> => {
    const session = client(password);
    try {
      await session.connect();
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: '28P01' });
      return false;
    } finally {
      await session.end();
    }
  };

  describeStep(
    'credentials.rotate',
    async () => ({
      kind: credentialsRotate,
      works: (more) => context({}, more),
      // Each time the password is another one, and the one in the file is the one that works.
      world: async () => JSON.stringify([statSync(file, { throwIfNoEntry: false })?.mode, await entered(OLD)]),
      isDone: async () => entered(readFileSync(file, 'utf8').trim()),
      obstructed: {
        context: () => context({ users: ['nobody'], into: { nobody: 'x' } }),
        says: /does not have: nobody/,
      },
      fails: () => context({ users: ['app', 'absent'], into: { app: 'app.password', absent: 'x' } }),
      secrets: [OLD],
    }),
    { without: ['slow'] },
  );

  it('get passwords that are in no log; their sessions end, and the old password is tried', async () => {
    await leak();
    const session = client(OLD);
    await session.connect();
    const told: string[] = [];
    const result = await credentialsRotate.run(context({}, { told }));
    const password = readFileSync(file, 'utf8').trim();
    expect([await entered(password), await entered(OLD)]).toEqual([true, false]);
    await expect(session.query('SELECT 1')).rejects.toThrow();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(result.outcome).toBe('done');
    expect(result.summary).toMatch(/1 sessions were ended; the old password was tried, and refused$/);
    const log = await server.logTail();
    expect(log).toContain('ALTER ROLE "app" PASSWORD');
    expect(log + JSON.stringify([result, told])).not.toContain(password);
  });

  it('have it where it belongs before it is set, whatever dies then', async () => {
    await leak();
    const died = new AbortController();
    const dying = context({ into: { app: SECRET } }, { signal: died.signal });
    const { adapters } = dying.workspace.environment;
    const put = adapters.putSecretValue!;
    const environment = {
      ...dying.workspace.environment,
      adapters: {
        ...adapters,
        putSecretValue: async (...given: Parameters<typeof put>) => {
          const done = await put(...given);
          died.abort(new Error('killed'));
          return done;
        },
      },
    };
    await expect(credentialsRotate.run({ ...dying, workspace: dying.workspace.within(environment) })).rejects.toThrow(
      'killed',
    );
    expect(await entered(OLD)).toBe(true);
    expect(await entered(secrets.values(SECRET)!.at(-1)!)).toBe(false);
    await credentialsRotate.run(context({ into: { app: SECRET } }));
    expect([await entered(OLD), await entered(secrets.values(SECRET)!.at(-1)!)]).toEqual([false, true]);
  });

  it('are no success where the server lets them in with any password', async () => {
    const trusted = context({ users: ['open'], into: { open: 'open.password' } });
    await expect(credentialsRotate.run(trusted)).rejects.toThrow(/open gets in with any password/);
  });

  it('keep theirs where others could read the new one, or where it is the one that logs in', async () => {
    await leak();
    writeFileSync(join(directory, 'seen'), '');
    chmodSync(join(directory, 'seen'), 0o644);
    await expect(credentialsRotate.run(context({ into: { app: 'seen' } }))).rejects.toMatchObject({
      code: 'unsafe-path',
    });
    const own = context({ users: ['app', 'postgres'], into: { app: 'app.password', postgres: 'x' } });
    await expect(credentialsRotate.run(own)).rejects.toThrow(/by which it logs in itself/);
    await expect(credentialsRotate.run(context({ url: undefined }))).rejects.toThrow(/may not change others/);
    expect(await entered(OLD)).toBe(true);
  });
});

describe('secrets of Secret Manager', () => {
  let secrets: SecretManagerServer;
  const [KEY, OTHER] = ['projects/omni/secrets/signing-key', 'projects/omni/secrets/other'] as const;
  const KNOWN = 'the-key-that-others-have';
  beforeAll(async () => {
    secrets = await new SecretManagerServer().start();
  });
  afterAll(() => secrets.stop());
  const context = (names: readonly string[], options = {}) => {
    const variables = { SECRET_MANAGER_EMULATOR_HOST: secrets.host };
    return contextOf(bareWorkspace({}, { variables }), { do: 'credentials.rotate', secrets: [...names] }, options);
  };
  /** The one that gives its value. */
  const enabled = (name: string) =>
    secrets.states(name).flatMap((state, index) => (state === 'ENABLED' ? [index + 1] : []));

  describeStep(
    'credentials.rotate',
    async () => {
      secrets.put(KEY, ['older', KNOWN]);
      return {
        kind: credentialsRotate,
        works: (more) => context([KEY], more),
        world: async () => String(enabled(KEY).length === 1 && secrets.values(KEY)!.at(-1) !== KNOWN),
        isDone: async () => enabled(KEY).join() === String(secrets.values(KEY)!.length),
        obstructed: { context: () => context(['projects/omni/secrets/absent']), says: /does not have .*absent/ },
        fails: () => context(['projects/omni/secrets/absent']),
        secrets: [KNOWN],
      };
    },
    { without: ['slow'] },
  );

  it('get random values, each its own, and every older version gives its value to nobody', async () => {
    for (const name of [KEY, OTHER]) secrets.put(name, ['a', 'b', KNOWN]);
    secrets.setState(OTHER, 1, 'DESTROYED');
    const told: string[] = [];
    const result = await credentialsRotate.run(context([KEY, OTHER], { told }));
    expect(result).toMatchObject({ outcome: 'done', outputs: { rotated: `${KEY}, ${OTHER}` } });
    expect(result.summary).toContain('5 older versions were disabled');
    expect([secrets.states(KEY), secrets.states(OTHER)]).toEqual([
      ['DISABLED', 'DISABLED', 'DISABLED', 'ENABLED'],
      ['DESTROYED', 'DISABLED', 'DISABLED', 'ENABLED'],
    ]);
    const [one, other] = [KEY, OTHER].map((name) => secrets.values(name)!.at(-1)!);
    expect(one).toMatch(/^[\w-]{43}$/);
    expect(one).not.toBe(other);
    expect(JSON.stringify([result, told])).not.toContain(one);
  });

  it('are partial where a name of a version leads to one that is dead, which is said beforehand', async () => {
    secrets.put(KEY, ['a', KNOWN], { versionAliases: { live: '1' } });
    expect((await credentialsRotate.foresee(context([KEY]))).obstacles.join()).toContain('the alias live');
    const { outcome, summary } = await credentialsRotate.run(context([KEY]));
    expect([outcome, summary]).toEqual(['partial', expect.stringContaining(`disabled: live of ${KEY}`)]);
  });

  it('are no success where an older version still gives its value, and stay as they are where one is not there', async () => {
    secrets.put(KEY, [KNOWN]);
    secrets.ignoresDisable = true;
    await expect(credentialsRotate.run(context([KEY]))).rejects.toMatchObject({ code: 'validation-failed' });
    secrets.ignoresDisable = false;
    secrets.put(KEY, [KNOWN]);
    const rotating = credentialsRotate.run(context([KEY, 'projects/omni/secrets/absent']));
    await expect(rotating).rejects.toMatchObject({ code: 'path-missing' });
    expect([secrets.values(KEY), enabled(KEY)]).toEqual([[KNOWN], [1]]);
  });
});

describe.skipIf(!requires('redis'))('users of Redis', () => {
  const directory = testDirectory();
  let server: RedisServer;
  beforeAll(async () => {
    writeFileSync(join(directory, 'users.acl'), `user default on nopass ~* &* +@all\nuser app on >${OLD} ~* +@all\n`);
    server = await RedisServer.start(['--aclfile', join(directory, 'users.acl')]);
  });
  afterAll(() => server.stop());

  const open = (password: string) =>
    Connection.open(parseLocation(server.url.replace('//', `//app:${password}@`)), {
      side: 'source',
      signal: AbortSignal.timeout(10_000),
    });

  it('get new passwords that last; their sessions end, and the old password is tried', async () => {
    const source = { name: 'cache', type: 'redis', url: server.url.replace('//', `//app:${OLD}@`) };
    const plan = { directory, sources: new Map([['cache', source]]) } as unknown as Partial<Plan>;
    const session = await open(OLD);
    const document = { source: 'cache', url: server.url, users: ['app'], into: { app: 'redis.password' } };
    const context = contextOf(bareWorkspace(plan), { do: 'credentials.rotate', ...document });
    const result = await credentialsRotate.run(context);
    expect(result).toMatchObject({ outcome: 'done', outputs: { rotated: 'app' } });
    expect(result.summary).toMatch(/1 sessions were ended; the old password was tried, and refused$/);
    await expect(session.call('ask', ['PING'])).rejects.toThrow();
    await expect(open(OLD)).rejects.toMatchObject({ code: 'source-refused' });
    const password = readFileSync(join(directory, 'redis.password'), 'utf8').trim();
    (await open(password)).destroy();
    await server.stop();
    await server.run();
    await expect(open(OLD)).rejects.toMatchObject({ code: 'source-refused' });
    (await open(password)).destroy();
  });

  it('are not said to have a dead password where nobody gets in for another reason', async () => {
    const source = { name: 'cache', type: 'redis', url: server.url };
    const plan = { directory, sources: new Map([['cache', source]]) } as unknown as Partial<Plan>;
    const document = { source: 'cache', users: ['app'], into: { app: 'redis.password' } };
    await server.call('CONFIG', 'SET', 'maxclients', '2');
    try {
      const rotating = credentialsRotate.run(contextOf(bareWorkspace(plan), { do: 'credentials.rotate', ...document }));
      const said = expect.stringContaining('max number of clients');
      await expect(rotating).rejects.toMatchObject({ code: 'source-refused', message: said });
    } finally {
      await server.call('CONFIG', 'SET', 'maxclients', '1000');
    }
  });

  it('are turned off and on again, and a step cuts off neither itself nor who is not there', async () => {
    const source = { name: 'cache', type: 'redis', url: server.url };
    const plan = { directory, sources: new Map([['cache', source]]) } as unknown as Partial<Plan>;
    const context = (more: object) =>
      contextOf(bareWorkspace(plan), { do: 'isolate', source: 'cache', ...more } as { do: 'isolate' });
    await server.call('ACL', 'SETUSER', 'other', 'on', '>other', '~*', '+@all');
    const login = parseLocation(server.url.replace('//', '//other:other@'));
    const enter = () => Connection.open(login, { side: 'source', signal: AbortSignal.timeout(10_000) });
    const session = await enter();
    expect((await isolate.foresee(context({ users: ['other'] }))).obstacles).toEqual([]);
    const result = await isolate.run(context({ users: ['other'] }));
    expect([result.outcome, result.summary]).toEqual(['done', expect.stringContaining('1 sessions were ended')]);
    await expect(session.call('ask', ['PING'])).rejects.toThrow();
    await expect(enter()).rejects.toMatchObject({ code: 'source-refused' });
    await isolate.undo!(context({ users: ['other'] }));
    (await enter()).destroy();
    await expect(isolate.run(context({ users: ['default'] }))).rejects.toThrow(/would be cut off/);
    await expect(isolate.run(context({ users: ['absent'] }))).rejects.toThrow(/no users absent/);
    await expect(isolate.run(context({ allow: ['10.0.0.0/8'] }))).rejects.toThrow(/Redis knows of no addresses/);
    await expect(isolate.run(context({}))).rejects.toThrow(/says not whom it cuts off/);
    await expect(isolate.run(context({ source: undefined }))).rejects.toThrow(/names nothing that it could cut off/);
    expect((await isolate.foresee(context({}))).obstacles).toEqual([expect.stringMatching(/not whom it cuts off/)]);
  });

  it('are turned off in part where the server cannot write it down', async () => {
    const forgetful = await RedisServer.start();
    onTestFinished(() => forgetful.stop());
    await forgetful.call('ACL', 'SETUSER', 'app', 'on', '>app', '~*', '+@all');
    const source = { name: 'cache', type: 'redis', url: forgetful.url };
    const plan = { directory, sources: new Map([['cache', source]]) } as unknown as Partial<Plan>;
    const cut = contextOf(bareWorkspace(plan), { do: 'isolate', source: 'cache', users: ['app'] });
    expect(await isolate.run(cut)).toMatchObject({
      ...{ outcome: 'partial', summary: expect.stringContaining('lets them in when it is started again') },
    });
  });
});
