import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mirroredWorkspace } from '../../../test/support/mirrored.ts';
import { startRedis, type TestRedis } from '../../../test/support/redis.ts';
import { testRepository } from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import type { Plan, PostgresSource, RedisSource } from '../../plan/index.ts';
import { FaultyStore } from '../../store/faulty/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { backup } from '../backup/backup.ts';
import { compare } from '../compare/compare.ts';
import { replicate } from '../mirrors/replicate.ts';
import { sourceStatus } from '../status/status.ts';
import { movedUrl, moveIn, moveSource } from './moves.ts';

const common = { repository: 'main', objectives: {}, validate: [] };

async function database(url: PostgresSource['url'] = { env: 'OLD_URL' }, mirror = false) {
  const stores = { main: new FaultyStore(new MemoryStore()), ...(mirror && { eu: new MemoryStore() }) };
  await testRepository(stores.main);
  const source: PostgresSource = { ...common, name: 'db', type: 'postgres', url, method: 'logical' };
  const plan: Partial<Plan> = {
    sources: new Map([['db', source]]),
    standbys: new Map([['db-eu', { name: 'db-eu', of: 'db', url: 'postgres://app@eu/db' }]]),
  };
  const open = () => mirroredWorkspace(stores, plan);
  return { source, stores, open, workspace: open() };
}

describe('a source that moved', () => {
  it('is at the standby, whose URL the plan has, for every process that asks', async () => {
    const { open, workspace, source } = await database();
    expect(await movedUrl(workspace, source)).toBeUndefined();
    await moveSource(workspace, { source: 'db', to: { standby: 'db-eu' }, run: 'INC-1' });
    expect(await movedUrl(workspace, source)).toBe('postgres://app@eu/db');
    expect(await movedUrl(open(), source)).toBe('postgres://app@eu/db');
  });

  it('moves once, however often that is said, and back', async () => {
    const { workspace, source } = await database();
    for (let times = 0; times < 3; times++) await moveSource(workspace, { source: 'db', to: { standby: 'db-eu' } });
    await moveSource(workspace, { source: 'db', to: 'plan' });
    const { ledger } = await workspace.open('main');
    expect(await ledger.events({ kinds: ['source.moved'] })).toHaveLength(2);
    expect(await movedUrl(workspace, source)).toBeUndefined();
  });

  it('is where the plan says again once the plan says something else', async () => {
    const { workspace, source } = await database();
    await moveSource(workspace, { source: 'db', to: { standby: 'db-eu' } });
    const events = await (await workspace.open('main')).ledger.read();
    expect(moveIn(events, source)?.to).toEqual({ standby: 'db-eu' });
    expect(moveIn(events, { ...source, url: { env: 'NEW_URL' } })).toBeUndefined();
  });

  it('is known from a mirror when the repository is away, and not guessed when all are', async () => {
    const { workspace, stores, open, source } = await database({ env: 'OLD_URL' }, true);
    await moveSource(workspace, { source: 'db', to: { standby: 'db-eu' } });
    await replicate(workspace, ['eu']);
    stores.main.rule = () => 'before';
    expect(await movedUrl(open(), source)).toBe('postgres://app@eu/db');
    const alone = await database();
    alone.stores.main.rule = () => 'before';
    await expect(movedUrl(alone.open(), alone.source)).rejects.toMatchObject({
      code: expect.stringMatching(/^store-/),
    });
  });

  it('has not moved where there is no repository yet', async () => {
    const { source } = await database();
    const workspace = mirroredWorkspace({ main: new MemoryStore() }, { sources: new Map([['db', source]]) });
    expect(await movedUrl(workspace, source)).toBeUndefined();
  });

  it('stays where it was known to be last while the repository is away', async () => {
    const { workspace, stores, source } = await database();
    const urls: (string | undefined)[] = [];
    const asking = workspace.within({
      adapters: {
        ...workspace.environment.adapters,
        createSource: async (_, { moved }) => {
          urls.push(await moved?.());
          return {} as never;
        },
      },
    });
    await moveSource(workspace, { source: 'db', to: { standby: 'db-eu' } });
    await asking.createSource(source);
    stores.main.rule = () => 'before';
    await asking.createSource(source);
    expect(urls).toEqual(['postgres://app@eu/db', 'postgres://app@eu/db']);
  });

  it('is recorded with no password', async () => {
    const { workspace } = await database();
    const to = { url: 'postgres://app:secret@new/db' };
    await expect(moveSource(workspace, { source: 'db', to })).rejects.toMatchObject({ code: 'bad-usage' });
    const { ledger } = await workspace.open('main');
    expect(JSON.stringify(await ledger.read())).not.toContain('secret');
  });

  it('is shown with where it is and since when', async () => {
    const { workspace, source } = await database();
    await moveSource(workspace, { source: 'db', to: { standby: 'db-eu' } });
    const events = await (await workspace.open('main')).ledger.read();
    const { moved } = sourceStatus(source, [], events, Date.now());
    expect(moved).toEqual({ to: 'the standby db-eu of the plan', since: events.at(-1)!.time });
  });
});

describe.skipIf(!requires('redis'))('a server that moved', () => {
  let [old, fresh] = [undefined as unknown as TestRedis, undefined as unknown as TestRedis];
  beforeAll(async () => {
    [old, fresh] = await Promise.all([startRedis(), startRedis(['--requirepass', 'of-the-new-one'])]);
  });
  afterAll(async () => {
    await Promise.all([old.stop(), fresh.stop()]);
  });

  it('is backed up and compared where it is, with the password that a reference leads to', async () => {
    const store = new MemoryStore();
    await testRepository(store);
    const source: RedisSource = {
      ...common,
      name: 'cache',
      type: 'redis',
      url: old.url,
      method: 'replication',
      stream: false,
    };
    const workspace = mirroredWorkspace({ main: store }, { sources: new Map([['cache', source]]) }).within({
      variables: { NEW_PASSWORD: 'of-the-new-one' },
    });
    await old.run('SET', 'where', 'old');
    await fresh.run('AUTH', 'of-the-new-one');
    await fresh.run('SET', 'where', 'new');
    await moveSource(workspace, { source: 'cache', to: { url: fresh.url, password: { env: 'NEW_PASSWORD' } } });
    const [taken] = await backup(workspace, ['cache']);
    expect(taken).toMatchObject({ outcome: 'complete' });
    expect((await compare(workspace, { source: 'cache' })).equal).toBe(true);
    expect((await compare(workspace, { source: 'cache', with: old.url })).equal).toBe(false);
  });
});
