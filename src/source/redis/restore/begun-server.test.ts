import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisServer } from '../../../../test/support/redis-server.ts';
import { requires } from '../../../../test/support/requirements.ts';
import { connected } from '../failover/server-state.ts';
import { emptyWhereBegun, markBegun } from './begun-server.ts';

const signal = new AbortController().signal;

describe.skipIf(!requires('redis'))('a server that a killed step half filled', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
    await server.call('ACL', 'SETUSER', 'blind', 'on', '>known', '~*', '+@all', '-client|list');
    await connected(server.url, signal, (connection) => markBegun(connection, 'incident a, step b'));
    await server.call('SET', 'half', 'filled');
    server.leave();
  });
  afterAll(() => server.stop());

  const empty = (url: string, begunBy = 'incident a, step b') =>
    connected(url, signal, (connection) => emptyWhereBegun(connection, begunBy));

  it('is not emptied where nobody can see who else uses it', async () => {
    const blind = server.url.replace('redis://', 'redis://blind:known@');
    await expect(empty(blind)).rejects.toMatchObject({
      ...{ code: 'target-unsuitable', message: expect.stringContaining('NOPERM') },
      hint: expect.stringContaining('client|list'),
    });
    expect(await server.text('GET', 'half')).toBe('filled');
    server.leave();
  });

  it('is emptied by that step alone, once nobody else is there', async () => {
    await empty(server.url, 'incident a, step c');
    expect(await server.text('GET', 'half')).toBe('filled');
    await expect(empty(server.url)).rejects.toThrow('others are connected');
    server.leave();
    await expect.poll(() => empty(server.url).then(() => 'emptied', String)).toBe('emptied');
    expect(await server.call('DBSIZE')).toBe(0);
  });
});
