import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awaitedLater } from '../../src/foundation/promises.ts';
import type { Workspace } from '../../src/operations/index.ts';
import type { Plan, Source, StepKindName } from '../../src/plan/index.ts';
import type { StepContext } from '../../src/recovery/index.ts';
import { isolate } from '../../src/recovery/steps/isolate.ts';
import { postgresFence } from '../../src/recovery/steps/postgres-fence.ts';
import { postgresPromote } from '../../src/recovery/steps/postgres-promote.ts';
import { postgresReseed } from '../../src/recovery/steps/postgres-reseed.ts';
import { redisPromote } from '../../src/recovery/steps/redis-promote.ts';
import { redisReseed } from '../../src/recovery/steps/redis-reseed.ts';
import { postgresFailover } from '../../src/source/postgres/failover/index.ts';
import { redisFailover } from '../../src/source/redis/failover/index.ts';
import { MemoryStore } from '../../src/store/memory/index.ts';
import { until } from '../support/followed.ts';
import { mirroredWorkspace } from '../support/mirrored.ts';
import { PostgresPair } from '../support/postgres-pair.ts';
import { RedisServer } from '../support/redis-server.ts';
import { testRepository } from '../support/repository.ts';
import { requires } from '../support/requirements.ts';
import { type ContextOptions, describeStep } from '../support/step-conformance.ts';
import { contextOf } from '../support/steps.ts';

const signal = new AbortController().signal;

/** A server that takes connections, and says nothing. */
async function silentServer(): Promise<{ port: number; server: Server }> {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server };
}

async function workspaceOf(sources: Source[], more: Partial<Plan> = {}): Promise<Workspace> {
  const store = new MemoryStore();
  await testRepository(store);
  const common = { repository: 'main', objectives: { rpoMs: 1 }, validate: [] };
  const named = sources.map((source) => [source.name, { ...common, ...source }] as const);
  return mirroredWorkspace({ main: store }, { sources: new Map(named), ...more });
}

/** A step whose questions are answered with yes. */
function agreed<Kind extends StepKindName>(context: StepContext<Kind>): StepContext<Kind> {
  return { ...context, ask: async () => [{ by: 'anna' }] };
}

describe.skipIf(!requires('postgresql'))('steps on servers of PostgreSQL', { timeout: 120_000 }, () => {
  let pair: PostgresPair;
  let silent: Awaited<ReturnType<typeof silentServer>>;
  let workspace: Workspace;
  /** What a promotion that dies has found out. */
  const found: Record<string, number> = {};
  const rules = () => readFileSync(join(pair.primary.directory, 'pg_hba.conf'), 'utf8');
  const setRules = (text: string): void => writeFileSync(join(pair.primary.directory, 'pg_hba.conf'), text);
  const PREPARE = `create role app login; create table orders (id int); grant all on orders to app;
    create role slow login password 'known'`;
  beforeAll(async () => {
    const hba = 'host all slow all scram-sha-256\n';
    [pair, silent] = await Promise.all([
      PostgresPair.start('/usr/lib/postgresql/15/bin', PREPARE, { hba }),
      silentServer(),
    ]);
    // Whoever comes from this machine gets in, by whichever of its addresses.
    setRules(rules().replaceAll('127.0.0.1/32', '127.0.0.0/8'));
    await pair.primary.query('select pg_reload_conf()');
    const url = pair.primary.url();
    const db = { name: 'db', type: 'postgres', url, method: 'logical' } as unknown as Source;
    const standby = { name: 'db-eu', of: 'db', url: pair.standby.url() };
    workspace = await workspaceOf([db], { standbys: new Map([['db-eu', standby]]) });
  }, 60_000);
  afterAll(async () => {
    silent.server.close();
    await pair.end();
  });

  /** Somebody who comes from an address of this machine. */
  function clientFrom(localAddress: string, role: string, more: pg.ClientConfig = {}): pg.Client {
    const stream = new Socket();
    const connect = stream.connect.bind(stream) as (options: object) => Socket;
    stream.connect = ((port: number, host: string) => connect({ port, host, localAddress })) as Socket['connect'];
    const { port } = pair.primary;
    return new pg.Client({
      ...{ host: '127.0.0.1', port, user: role, database: 'postgres', ssl: false, stream: () => stream },
      ...more,
    });
  }

  async function getsIn({ from = '127.0.0.1', role = 'app' } = {}): Promise<boolean> {
    const client = clientFrom(from, role);
    client.on('error', () => {});
    try {
      await client.connect();
      return true;
    } catch (error) {
      expect((error as { code?: string }).code).toBe('28000');
      return false;
    } finally {
      await client.end();
    }
  }

  /**
   * Somebody who is on the way in: whose login was granted, and who shows up seconds later, or who gives the password late.
   * @returns has them come in, and says whether they can do anything then
   */
  async function whoIsLate(how: 'granted' | 'asked'): Promise<() => Promise<'in' | 'kept out'>> {
    const given = Promise.withResolvers<string>();
    const client =
      how === 'granted'
        ? clientFrom('127.0.0.3', 'app', { options: '-c post_auth_delay=2' })
        : clientFrom('127.0.0.3', 'slow', { password: () => given.promise });
    client.on('error', () => {});
    const connected = awaitedLater(client.connect());
    const hidden = `select from pg_locks l where locktype = 'virtualxid' and pid <> pg_backend_pid()
                       and not exists (select from pg_stat_activity a where a.pid = l.pid)`;
    await expect.poll(() => pair.primary.query(hidden)).toHaveLength(1);
    return async () => {
      given.resolve('known');
      try {
        await connected;
        await client.query('select 1');
        return 'in';
      } catch {
        return 'kept out';
      } finally {
        await client.end();
      }
    };
  }

  it.each(['granted', 'asked'] as const)('somebody gets in late where nobody is kept out: %s', async (how) => {
    expect(await (await whoIsLate(how))()).toBe('in');
  });

  describe('that cuts one off', () => {
    const context = (more: object = {}, options: ContextOptions = {}) =>
      contextOf(
        workspace,
        { do: 'isolate', source: 'db', allow: ['127.0.0.1'], ...more } as { do: 'isolate' },
        options,
      );

    describeStep(
      'isolate',
      async () => ({
        kind: isolate,
        works: (more) => context({}, more),
        world: async () => String(await getsIn()),
        isDone: async () => !(await getsIn({ from: '127.0.0.2' })),
        obstructed: {
          context: () => context({ allow: ['10.0.0.0/8'] }),
          says: /by 127\.0\.0\.1, and would be cut off/,
        },
        fails: () => context({ allow: ['10.0.0.0/8', 'local'] }),
        secrets: [],
      }),
      { without: ['slow'] },
    );

    it('but for the addresses that are let in, ends the sessions of others, and can be undone', async () => {
      const before = rules();
      expect(await getsIn({ from: '127.0.0.2' })).toBe(true);
      const inside = clientFrom('127.0.0.3', 'app');
      inside.on('error', () => {});
      const ended = once(inside, 'error');
      await inside.connect();
      const { outcome, summary } = await isolate.run(context());
      expect([outcome, summary]).toEqual([
        'done',
        expect.stringMatching(/lets in 127\.0\.0\.1 alone; 1 sessions of others/),
      ]);
      await ended;
      expect([await getsIn(), await getsIn({ from: '127.0.0.2' })]).toEqual([true, false]);
      // The standby is let in: it comes from there.
      expect((await pair.followers())[0]?.['state']).toBe('streaming');
      expect(readFileSync(join(pair.primary.directory, 'pg_hba.conf.before-isolation'), 'utf8')).toBe(before);
      await isolate.run(context({ allow: ['127.0.0.0/31', 'local'] }));
      expect([await getsIn(), await getsIn({ from: '127.0.0.2' })]).toEqual([true, false]);
      expect(await isolate.undo!(context())).toContain('its own rules do again');
      expect([rules(), await getsIn({ from: '127.0.0.2' })]).toEqual([before, true]);
      expect(await isolate.undo!(context())).toContain('keeps nobody out');
    });

    it.each([
      ['granted', {}],
      ['asked', {}],
      ['granted', { allow: undefined, users: ['app'] }],
    ] as const)('also who is about to get in, since the login was %s by what was before: %j', async (how, more) => {
      const late = await whoIsLate(how);
      try {
        expect([(await isolate.run(context(more))).outcome, await late()]).toEqual(['done', 'kept out']);
      } finally {
        await isolate.undo!(context(more));
      }
    });

    it('by roles that are turned off, of which none is the one that does it', async () => {
      const users = context({ allow: undefined, users: ['app'] });
      expect((await isolate.foresee(users)).obstacles).toEqual([]);
      const { summary } = await isolate.run(users);
      expect([summary, await getsIn()]).toEqual([
        expect.stringMatching(/^app of db get in no more; 0 sessions/),
        false,
      ]);
      await isolate.run(users);
      expect(await isolate.undo!(users)).toBe('app of db get in again');
      expect(await getsIn()).toBe(true);
      for (const [name, says] of [
        ['postgres', /would be cut off/],
        ['nobody', /no roles nobody/],
      ] as const) {
        await expect(isolate.run(context({ allow: undefined, users: [name] }))).rejects.toThrow(says);
      }
      const weak = context({ url: pair.primary.url('postgres', 'app') });
      expect((await isolate.foresee(weak)).obstacles.join()).toContain('may not change who gets in');
      await expect(isolate.run(weak)).rejects.toMatchObject({ code: 'source-refused' });
      expect(rules()).not.toContain('isolated');
    });

    it('and leaves the rules as they were where the server does not understand them', async () => {
      const wrong = 'host all all everywhere no-such-method';
      const whole = rules();
      setRules(`${whole}${wrong}\n`);
      const before = rules();
      await expect(isolate.run(context())).rejects.toThrow(/line \d+ of .*pg_hba\.conf is wrong/);
      expect(rules()).toBe(before);
      setRules(whole);
    });

    it('and changes nothing where the rules were cut short before, so that what they had been stays beside them', async () => {
      const aside = join(pair.primary.directory, 'pg_hba.conf.before-isolation');
      const [whole, kept] = [rules(), readFileSync(aside, 'utf8')];
      setRules('');
      await expect(isolate.run(context())).rejects.toThrow(/cut short/);
      expect([rules(), readFileSync(aside, 'utf8')]).toEqual(['', kept]);
      setRules(whole);
    });
  });

  describeStep('postgres.fence', async () => {
    const context = (more: object, options: ContextOptions = {}) =>
      contextOf(workspace, { do: 'postgres.fence', source: 'db', ...more } as { do: 'postgres.fence' }, options);
    const isFenced = async () => (await postgresFailover.look(pair.primary.url(), signal)).isFenced;
    return {
      kind: postgresFence,
      works: (more) => context({}, more),
      world: async () => String(await isFenced()),
      isDone: async () => (await isFenced()) && !(await entersFenced()),
      obstructed: { context: () => context({ url: pair.primary.url('postgres', 'app') }), says: /no superuser/ },
      fails: () => context({ url: pair.standby.url() }),
      slow: (more) => context({ url: `postgres://postgres@127.0.0.1:${silent.port}/postgres` }, more),
      secrets: [],
    };
  });

  it('fences who is about to get in as well', async () => {
    const fence = contextOf(workspace, { do: 'postgres.fence', source: 'db' });
    const late = await whoIsLate('asked');
    try {
      const { outcome, summary } = await postgresFence.run(fence);
      expect([outcome, await late()]).toEqual(['done', 'kept out']);
      expect(summary).toMatch(/a login as the application was refused$/);
    } finally {
      await postgresFence.undo!(fence);
    }
  });

  /** Somebody who has connected, and says nothing until told to; `ended` is who got in and was ended. */
  async function whoIsSilent(): Promise<{ speak: () => void; ended: Promise<'ended' | 'refused'> }> {
    const socket = connect({ port: pair.primary.port, host: '127.0.0.1', localAddress: '127.0.0.3' });
    await once(socket, 'connect');
    let heard = '';
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
    });
    socket.on('error', () => {});
    const ended = once(socket, 'close').then(() => (/C57P01/.test(heard) ? ('ended' as const) : ('refused' as const)));
    const body = Buffer.from('\0\x03\0\0user\0app\0database\0postgres\0\0', 'latin1');
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length + 4);
    return { speak: () => void socket.write(Buffer.concat([length, body])), ended };
  }

  it.each(['fence', 'isolate'] as const)(
    'waits for who had connected before it, and says nothing yet, and ends them: %s',
    async (what) => {
      const step =
        what === 'fence'
          ? { kind: postgresFence, context: contextOf(workspace, { do: 'postgres.fence', source: 'db' }) }
          : {
              kind: isolate,
              context: contextOf(workspace, { do: 'isolate', source: 'db', allow: ['127.0.0.1'] } as { do: 'isolate' }),
            };
      const silent = await whoIsSilent();
      let isOver = false;
      const ran = step.kind.run(step.context as never).finally(() => {
        isOver = true;
      });
      try {
        await expect.poll(() => (what === 'fence' ? entersFenced() : getsIn({ from: '127.0.0.2' }))).toBe(false);
        await pause(1000);
        expect(isOver).toBe(false);
        silent.speak();
        expect([await silent.ended, (await ran).outcome]).toEqual(['ended', 'done']);
      } finally {
        await ran;
        await step.kind.undo!(step.context as never);
      }
    },
  );

  async function entersFenced(): Promise<boolean> {
    const client = new pg.Client({ connectionString: pair.primary.url('postgres', 'app') });
    client.on('error', () => {});
    return client.connect().then(
      () => client.end().then(() => true),
      () => false,
    );
  }

  it('asks before a standby is promoted that is farther behind than was promised, with the number, and heeds a no', async () => {
    await pair.standby.query(`alter system set primary_conninfo = ''`);
    await pair.standby.query('select pg_reload_conf()');
    await until(async () => (await pair.followers()).length === 0);
    await pair.primary.query('insert into orders select generate_series(1, 1000)');
    const asked: string[] = [];
    const context = {
      ...contextOf(workspace, { do: 'postgres.promote', standby: 'db-eu' }),
      ask: async ({ question }: { question: string }) => {
        asked.push(question);
        throw new Error('no');
      },
    };
    await expect(postgresPromote.run(context)).rejects.toThrow('no');
    expect(asked[0]).toMatch(/still takes writes, which would be lost; and what would be lost is .*\d.*; promised is /);
    expect((await postgresFailover.look(pair.standby.url(), signal)).isStandby).toBe(true);
    const conninfo = `host=127.0.0.1 port=${pair.primary.port} user=postgres application_name=second`;
    await pair.standby.query(`alter system set primary_conninfo = '${conninfo}'`);
    await pair.standby.query('select pg_reload_conf()');
    await pair.streaming();
  });

  it('has recorded what is lost before it promotes, since nobody knows it afterwards', async () => {
    const context = agreed(contextOf(workspace, { do: 'postgres.promote', standby: 'db-eu' }, { noted: found }));
    const killed: typeof context = {
      ...context,
      note: (more) => context.note(more).then(() => Promise.reject(new Error('killed'))),
    };
    await expect(postgresPromote.run(killed)).rejects.toThrow('killed');
    expect(found).toMatchObject({ lostBytes: expect.any(Number), lostMs: expect.any(Number) });
    expect((await postgresFailover.look(pair.standby.url(), signal)).isStandby).toBe(true);
  });

  describeStep('postgres.promote', async () => {
    const context = (more: object, options: ContextOptions = {}) =>
      agreed(
        contextOf(
          workspace,
          { do: 'postgres.promote', standby: 'db-eu', ...more } as { do: 'postgres.promote' },
          options,
        ),
      );
    const state = () => postgresFailover.look(pair.standby.url(), signal);
    return {
      kind: postgresPromote,
      works: (more) => context({}, more),
      world: async () => JSON.stringify([(await state()).isStandby, (await state()).timeline]),
      isDone: async () => !(await state()).isStandby,
      obstructed: { context: () => context({ standby: 'elsewhere' }), says: /no standby elsewhere/ },
      fails: () => context({ url: `postgres://postgres@127.0.0.1:${pair.primary.port}/nowhere?sslmode=disable` }),
      slow: (more) => context({ url: `postgres://postgres@127.0.0.1:${silent.port}/postgres` }, more),
      secrets: [],
    };
  });

  it('that was promoted by an attempt which died is said to have lost what that one found out', async () => {
    const context = contextOf(workspace, { do: 'postgres.promote', standby: 'db-eu' }, { noted: found });
    const { outputs, summary } = await postgresPromote.run(context);
    expect([outputs, summary]).toEqual([expect.objectContaining(found), expect.stringContaining('what was lost: ')]);
  });

  describeStep(
    'postgres.reseed',
    async () => {
      await pair.primary.stop();
      const { directory } = pair.primary;
      const context = (more: object, options: ContextOptions = {}) =>
        contextOf(
          workspace,
          { do: 'postgres.reseed', source: 'db', from: pair.standby.url(), directory, ...more } as {
            do: 'postgres.reseed';
          },
          options,
        );
      const conninfo = () => readFileSync(join(directory, 'postgresql.auto.conf'), 'utf8');
      return {
        kind: postgresReseed,
        works: (more) => context({}, more),
        world: async () => String(conninfo().includes(String(pair.standby.port))),
        isDone: async () => conninfo().includes(String(pair.standby.port)),
        obstructed: { context: () => context({ from: pair.primary.url() }), says: /cannot be reached/ },
        fails: () => context({ directory: pair.standby.directory }),
        secrets: [],
      };
    },
    { without: ['slow'] },
  );
});

describe.skipIf(!requires('redis'))('steps on servers of Redis', { timeout: 60_000 }, () => {
  let [master, replica]: RedisServer[] = [];
  let silent: Awaited<ReturnType<typeof silentServer>>;
  let workspace: Workspace;
  beforeAll(async () => {
    [master, replica, silent] = await Promise.all([
      RedisServer.start(['--min-replicas-to-write', '0', '--min-replicas-max-lag', '0']),
      RedisServer.start(),
      silentServer(),
    ]);
    await master.call('SET', 'before', '1');
    const cache = { name: 'cache', type: 'redis', url: master.url } as unknown as Source;
    workspace = await workspaceOf([cache, { ...cache, name: 'gone', url: `redis://127.0.0.1:1` } as unknown as Source]);
  });
  afterAll(async () => {
    silent.server.close();
    await Promise.all([master?.stop(), replica?.stop()]);
  });
  const look = (server: RedisServer | undefined) => redisFailover.look(server!.url, signal);

  describeStep('redis.reseed', async () => {
    const context = (more: object, options: ContextOptions = {}) =>
      contextOf(
        workspace,
        { do: 'redis.reseed', source: 'cache', url: replica!.url, from: master!.url, ...more } as {
          do: 'redis.reseed';
        },
        options,
      );
    return {
      kind: redisReseed,
      works: (more) => context({}, more),
      world: async () => JSON.stringify([(await look(replica)).isReplica, (await look(replica)).follows]),
      isDone: async () => (await replica!.text('GET', 'before')) === '1',
      obstructed: { context: () => context({ from: 'redis://127.0.0.1:1' }), says: /127\.0\.0\.1:1 cannot be reached/ },
      fails: () => context({ url: 'redis://127.0.0.1:1' }),
      slow: (more) => context({ url: `redis://127.0.0.1:${silent.port}` }, more),
      secrets: [],
    };
  });

  describeStep('redis.promote', async () => {
    const context = (more: object, options: ContextOptions = {}) =>
      agreed(
        contextOf(
          workspace,
          { do: 'redis.promote', source: 'cache', url: replica!.url, ...more } as { do: 'redis.promote' },
          options,
        ),
      );
    return {
      kind: redisPromote,
      works: (more) => context({}, more),
      world: async () => JSON.stringify([(await look(replica)).isReplica, (await look(master)).isReplica]),
      isDone: async () => (await look(master)).isReplica && !(await look(replica)).isReplica,
      obstructed: { context: () => context({ url: 'redis://127.0.0.1:1' }), says: /127\.0\.0\.1:1/ },
      fails: () => context({ url: 'redis://127.0.0.1:1' }),
      slow: (more) => context({ url: `redis://127.0.0.1:${silent.port}` }, more),
      secrets: [],
    };
  });
});
