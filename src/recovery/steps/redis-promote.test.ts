import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mirroredWorkspace } from '../../../test/support/mirrored.ts';
import { RedisServer } from '../../../test/support/redis-server.ts';
import { testRepository } from '../../../test/support/repository.ts';
import { requires } from '../../../test/support/requirements.ts';
import { contextOf } from '../../../test/support/steps.ts';
import type { Plan } from '../../plan/index.ts';
import { MemoryStore } from '../../store/memory/index.ts';
import { RunRecord } from '../engine/run-record.ts';
import { fenceReturned } from '../fencing/fence-returned.ts';
import { redisPromote } from './redis-promote.ts';
import { redisReseed } from './redis-reseed.ts';

const signal = new AbortController().signal;

describe.skipIf(!requires('redis'))('a Redis master and what is promoted in its place', () => {
  let [old, fresh] = [undefined as unknown as RedisServer, undefined as unknown as RedisServer];
  beforeAll(async () => {
    const lasting = () => RedisServer.start([], undefined, { hasFile: true });
    [old, fresh] = await Promise.all([lasting(), lasting()]);
  });
  afterEach(async () => {
    for (const server of [old, fresh]) {
      await server.call('REPLICAOF', 'NO', 'ONE');
      await server.call('CONFIG', 'SET', 'min-replicas-to-write', '0');
    }
  });
  afterAll(async () => {
    await Promise.all([old.stop(), fresh.stop()]);
  });

  const follow = async (server: RedisServer, master: RedisServer): Promise<void> => {
    await server.call('REPLICAOF', '127.0.0.1', master.port);
    await expect.poll(() => server.text('INFO', 'replication')).toContain('master_link_status:up');
  };

  /** @param planned the address that the plan has */
  async function workspaceWith(planned: string) {
    const main = new MemoryStore();
    await testRepository(main);
    const cache = { name: 'cache', type: 'redis', url: planned, method: 'replication', stream: false };
    const sources = new Map([['cache', { ...cache, repository: 'main', objectives: {}, validate: [] }]]);
    return mirroredWorkspace({ main }, { sources } as unknown as Partial<Plan>);
  }

  /** An incident in which the old master was out of reach. */
  async function pendingWith(planned: string, before: { id: string; do: string; source: string }[] = []) {
    const workspace = await workspaceWith(planned);
    const record = new RunRecord(workspace);
    const steps = [...before, { id: 'up', do: 'redis.promote', source: 'cache', url: fresh.url }];
    const opened = { incident: 'one', runbook: 'it', scenario: 'All is lost', severity: 'p1', params: {}, steps };
    await record.append('incident.opened', {
      ...{ ...opened, why: '', since: '2026-03-01T14:00:00Z', sinceFrom: 'start', objectives: {} },
    } as never);
    for (const { id: step } of steps) {
      const finished = { run: 'one', step, attempt: 1, outcome: 'partial', durationMs: 1 } as const;
      await record.append('step.finished', { ...finished, outputs: { pending: true } });
    }
    return workspace;
  }

  it('leaves the new master alone where the name of the old one leads to it by now', async () => {
    const workspace = await workspaceWith(`redis://localhost:${fresh.port}`);
    const context = contextOf(workspace, { do: 'redis.promote', source: 'cache', url: fresh.url });
    expect(await redisPromote.run(context)).toMatchObject({ outcome: 'done', outputs: { pending: false } });
    expect(await fresh.text('SET', 'a', '1')).toBe('OK');
    expect(await fenceReturned(await pendingWith(`redis://localhost:${fresh.port}`), signal)).toEqual([]);
    expect(await fresh.text('SET', 'a', '2')).toBe('OK');
  });

  it('fences whom the replica follows where the plan names none other', async () => {
    await follow(fresh, old);
    const context = contextOf(await workspaceWith(fresh.url), { do: 'redis.promote', source: 'cache', url: fresh.url });
    expect(await redisPromote.run(context)).toMatchObject({ outcome: 'done', outputs: { lostMs: 0 } });
    await expect(old.call('SET', 'a', '3')).rejects.toThrow('READONLY');
    expect(await fresh.text('SET', 'a', '3')).toBe('OK');
  });

  it('knows what was lost also where its process died behind the promotion', async () => {
    await follow(fresh, old);
    const noted = {};
    const context = contextOf(
      await workspaceWith(old.url),
      { do: 'redis.promote', source: 'cache', url: fresh.url },
      { noted },
    );
    const killed = {
      ...context,
      note: (found: object) => context.note({ ...found }).then(() => Promise.reject(new Error('killed'))),
    };
    await expect(redisPromote.run(killed)).rejects.toThrow('killed');
    expect([noted, await fresh.text('INFO', 'replication')]).toEqual([
      { lostMs: 0 },
      expect.stringContaining('role:slave'),
    ]);
    await fresh.call('REPLICAOF', 'NO', 'ONE');
    expect(await redisPromote.run(context)).toMatchObject({ outputs: { lostMs: 0 } });
  });

  it('asks where what was fenced is not whom the replica follows', async () => {
    await follow(fresh, old);
    for (let count = 0; count < 5; count++) await old.call('SET', 'a', String(count));
    const stale = await RedisServer.start();
    try {
      const context = contextOf(await workspaceWith(stale.url), {
        ...{ do: 'redis.promote', source: 'cache', url: fresh.url },
      });
      await expect(redisPromote.run(context)).rejects.toThrow(
        new RegExp(`asked.*not from .*${stale.port}.*it follows 127.0.0.1:${old.port}.*nobody knows`),
      );
      expect(await old.text('SET', 'a', 'still')).toBe('OK');
    } finally {
      await stale.stop();
    }
  });

  it('has the other replicas follow as well, also one with the same port, and says who does not', async () => {
    const announced = ['--replica-announce-ip', '127.0.0.2'];
    const other = await RedisServer.start(announced, undefined, {
      ...{ port: fresh.port, address: '127.0.0.2', hasFile: true },
    });
    try {
      await follow(fresh, old);
      await follow(other, old);
      const promoting = { do: 'redis.promote', source: 'cache', url: fresh.url } as const;
      expect(await redisPromote.run(contextOf(await workspaceWith(old.url), promoting))).toMatchObject({
        ...{ outcome: 'done', summary: expect.stringContaining(`127.0.0.2:${fresh.port} follow it`) },
      });
      expect(await other.text('INFO', 'replication')).toContain(`master_port:${fresh.port}`);
      await fresh.call('REPLICAOF', 'NO', 'ONE');
      await old.call('REPLICAOF', 'NO', 'ONE');
      await follow(fresh, old);
      await follow(other, old);
      await other.call('CONFIG', 'SET', 'requirepass', 'unknown here');
      expect(await redisPromote.run(contextOf(await workspaceWith(old.url), promoting))).toMatchObject({
        ...{ outcome: 'partial', summary: expect.stringContaining(`127.0.0.2:${fresh.port} do not follow it yet`) },
        outputs: { pending: false, lostMs: 0 },
      });
    } finally {
      await other.stop();
    }
  });

  it('is partial where servers cannot write down what they are now, and says what is to be written', async () => {
    const bare = await RedisServer.start();
    try {
      await follow(bare, old);
      const promoting = { do: 'redis.promote', source: 'cache', url: bare.url } as const;
      const { outcome, summary } = await redisPromote.run(contextOf(await workspaceWith(old.url), promoting));
      const says = new RegExp(`127.0.0.1:${bare.port} could not write its configuration.*take .replicaof. out of that`);
      expect([outcome, summary]).toEqual(['partial', expect.stringMatching(says)]);
      const reseeding = { do: 'redis.reseed', source: 'cache', from: fresh.url, url: bare.url } as const;
      const reseeded = await redisReseed.run(contextOf(await workspaceWith(old.url), reseeding));
      const put = expect.stringContaining(`put \`replicaof 127.0.0.1 ${fresh.port}\` into that`);
      expect([reseeded.outcome, reseeded.summary]).toEqual(['partial', put]);
      await bare.call('REPLICAOF', 'NO', 'ONE');
      const [returned] = await fenceReturned(await pendingWith(bare.url), signal);
      expect(returned).toMatchObject({ step: 'up', isLasting: false });
    } finally {
      await bare.stop();
    }
  });

  it('fences an old master that comes back, once', async () => {
    const workspace = await pendingWith(old.url);
    await old.call('SET', 'of nobody', '1');
    expect(await fenceReturned(workspace, signal)).toMatchObject([{ run: 'one', step: 'up', source: 'cache' }]);
    await expect(old.call('SET', 'of nobody', '2')).rejects.toThrow('NOREPLICAS');
    expect(await old.text('GET', 'of nobody')).toBe('1');
    expect(await fenceReturned(workspace, signal)).toEqual([]);
  });

  it('fences an old master though another one that came back refuses it', async () => {
    const workspace = await pendingWith(old.url, [{ id: 'before', do: 'postgres.fence', source: 'cache' }]);
    await expect(fenceReturned(workspace, signal)).rejects.toMatchObject({ code: 'bad-usage' });
    await expect(old.call('SET', 'of nobody', '3')).rejects.toThrow('NOREPLICAS');
  });

  it('leaves an old master alone that somebody made the master again, or a replica', async () => {
    const workspace = await pendingWith(old.url);
    await follow(fresh, old);
    expect(await fenceReturned(workspace, signal)).toEqual([]);
    expect(await old.text('SET', 'a', '4')).toBe('OK');
    await fresh.call('REPLICAOF', 'NO', 'ONE');
    await follow(old, fresh);
    expect(await fenceReturned(workspace, signal)).toEqual([]);
  });
});
