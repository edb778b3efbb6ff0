import { expect, test } from 'vitest';
import { mirroredWorkspace } from '../../../test/support/mirrored.ts';
import { buildStep, type Plan, type Runbook, type StepDocument, stepSchema } from '../../plan/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { DrillServers, wantedServers } from './drill-servers.ts';
import { drillWorkspace } from './drill-workspace.ts';

const plan = {
  sources: new Map([
    ['db', { name: 'db', type: 'postgres', url: 'postgresql://living/db', validate: [], repository: 'main' }],
    ['cache', { name: 'cache', type: 'redis', url: 'redis://living', validate: [], repository: 'main' }],
  ]),
  standbys: new Map([['eu', { name: 'eu', of: 'db', url: { env: 'EU_URL' } }]]),
} as unknown as Pick<Plan, 'sources' | 'standbys'>;

const step = (document: Record<string, unknown>) => buildStep(stepSchema.parse(document) as StepDocument, undefined);

test('copies are made of the servers that steps of a drill work on, or that are killed, and of no others', () => {
  const steps = [
    step({ id: 'promote', do: 'postgres.promote', standby: 'eu', drill: 'run' }),
    step({ id: 'fence', do: 'postgres.fence', source: 'db', drill: 'run' }),
    step({ id: 'reseed', do: 'redis.reseed', source: 'cache', from: 'redis://other', drill: 'skip' }),
  ];
  expect([...wantedServers(steps, { kill: [], cutOff: [] }, plan)]).toEqual([['db', ['eu']]]);
  expect([...wantedServers(steps, { kill: [], cutOff: ['cache'] }, plan)]).toEqual([
    ['db', ['eu']],
    ['cache', ['replica']],
  ]);
});

test('users are turned off, and data compared, on copies of PostgreSQL alone', () => {
  const wanted = (document: Record<string, unknown>) => [
    ...wantedServers([step({ id: 'it', drill: 'run', ...document })], { kill: [], cutOff: [] }, plan).keys(),
  ];
  expect(wanted({ do: 'isolate', source: 'db', users: ['app'] })).toEqual(['db']);
  expect(wanted({ do: 'isolate', source: 'db', users: ['app'], allow: ['local'] })).toEqual([]);
  expect(wanted({ do: 'isolate', source: 'cache', users: ['app'] })).toEqual([]);
  expect(wanted({ do: 'isolate', exec: ['./cut-off'] })).toEqual([]);
  expect(wanted({ do: 'compare', source: 'db' })).toEqual(['db']);
  expect(wanted({ do: 'compare', source: 'db', with: 'postgresql://living/db' })).toEqual([]);
  expect(wanted({ do: 'compare', source: 'db', drill: 'skip' })).toEqual([]);
});

test('what a failover does to servers is refused for each that is no copy of the drill', async () => {
  const done: string[] = [];
  const failover = {
    look: async (url: string) => void done.push(`look ${url}`),
    promote: async (url: string) => void done.push(`promote ${url}`),
    fence: async ({ admin }: { admin: string }) => void done.push(`fence ${admin}`),
    reseed: async ({ directory }: { directory: string }) => void done.push(`reseed ${directory}`),
    follow: async ({ url }: { url: string }) => void done.push(`follow ${url}`),
  };
  const users = { look: failover.look, turn: failover.look };
  const gate = { obstacles: failover.look, close: failover.look, open: failover.look };
  const living = mirroredWorkspace({ main: new MemoryStore() }, plan as Partial<Plan>);
  Object.assign(living.environment.adapters, {
    postgresFailover: async () => failover,
    redisFailover: async () => failover,
    postgresUsers: async () => users,
    postgresGate: async () => gate,
  });
  const servers = await DrillServers.open(living, new Map(), living.plan, () => {});
  const { environment, plan: own } = drillWorkspace(living, { name: 'it' } as Runbook, servers);
  const signal = new AbortController().signal;
  const postgres = (await environment.adapters.postgresFailover?.())!;
  const redis = (await environment.adapters.redisFailover?.())!;
  const url = 'postgresql://living/db';
  const [turning, closing] = [
    (await environment.adapters.postgresUsers?.())!,
    (await environment.adapters.postgresGate?.())!,
  ];
  const calls = [
    () => turning.look(url, ['app'], signal),
    () => turning.turn(url, { users: ['app'], isOn: false }, signal),
    () => closing.obstacles(url, [], signal),
    () => closing.close(url, [], signal),
    () => closing.open(url, signal),
    () => postgres.look(url, signal),
    () => postgres.fence({ admin: url, application: url }, signal),
    () => postgres.promote(url, signal),
    () => postgres.reseed({ directory: '/var/lib/living', fromUrl: url, slot: 's', signal, tell: () => {} }),
    () => redis.promote('redis://living', signal),
    () => redis.follow({ url: 'redis://living', from: 'redis://living' }, { signal, tell: () => {} }),
  ];
  for (const call of calls) await expect(call()).rejects.toThrow(/which lives/);
  expect(done).toEqual([]);
  expect(own.standbys.size).toBe(0);
  expect(JSON.stringify([...own.sources.values()])).not.toContain('living');
});
