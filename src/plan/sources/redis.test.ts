import { describe, expect, it } from 'vitest';
import { hasLog } from '../index.ts';
import { parsePlan } from '../load.ts';
import { PlanInvalidError } from '../problems.ts';

const planOf = (source: string): string => `version: 1
name: shop
repositories: { primary: { store: ./repository, password: { env: HOLDFAST_PASSWORD } } }
sources: { cache: { type: redis, ${source} } }
`;

function redisSource(source: string) {
  const { plan } = parsePlan(planOf(source), { file: 'holdfast.yaml', directory: '/plans' });
  return plan.sources.get('cache')!;
}

function complaint(source: string): string {
  try {
    redisSource(source);
  } catch (error) {
    if (error instanceof PlanInvalidError) return error.problems.map(({ message }) => message).join('\n');
    throw error;
  }
  return '';
}

describe('a Redis server in the plan', () => {
  it('is replicated from unless it says otherwise', () => {
    const source = redisSource('url: "redis://db:6379"');
    expect(source).toMatchObject({ type: 'redis', method: 'replication', stream: false, validate: [] });
    expect(hasLog(source)).toBe(false);
    expect(hasLog(redisSource('url: { env: REDIS_URL }, stream: true'))).toBe(true);
  });

  it('has checks that count keys, and checks that run a program', () => {
    const checks = '[{ name: a, keys: "a:*", count: { atLeast: 2 } }, { name: b, exec: [./check] }]';
    expect(redisSource(`url: "unix:///run/redis.sock", validate: ${checks}`).validate).toEqual([
      { kind: 'keys', name: 'a', keys: 'a:*', atLeast: 2 },
      { kind: 'exec', name: 'b', exec: ['./check'] },
    ]);
  });

  it.each([
    ['url: "redis://:secret@db"', /password is never written/],
    ['url: "http://db"', /redis:\/\/host:6379/],
    ['url: "redis://db", method: scan, stream: true', /"method: replication"/],
    ['url: "redis://db", method: dump', /replication or scan/],
    ['url: "redis://db", validate: [{ name: a, keys: "*" }]', /"keys" and "count" belong together/],
    ['url: "redis://db", validate: [{ name: a, keys: "*", exec: [x] }]', /either "keys" or "exec"/],
    ['url: "redis://db", validate: [{ name: a, keys: "*", count: { atLeast: -1 } }]', /not negative/],
  ])('is refused with %s', (source, expected) => {
    expect(complaint(source)).toMatch(expected);
    expect(complaint(source)).not.toContain('secret');
  });
});
