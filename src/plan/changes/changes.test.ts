import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parsePlan } from '../load.ts';
import { diffPlans } from './diff-plans.ts';
import { weakenedBy } from './weakened.ts';

const BEFORE = `
version: 1
name: test
repositories:
  main: { store: "s3://bucket/b", password: { env: P }, lock: { mode: governance, for: 30d } }
  eu: { store: ./eu, mirrorOf: main }
sources:
  one: { type: files, paths: [/one], schedule: daily, retention: { daily: 7, within: 30d, tags: [keep] }, objectives: { rpo: 2d } }
  all: { type: files, paths: [/all], schedule: daily }
verification:
  - { name: daily, sources: [one], schedule: daily }
approvals: { twoPersons: [retention] }
`;

const planOf = (text: string) => parsePlan(text, { file: 'test', directory: '/' }).plan;

it('says of each way in which a plan promises less', () => {
  const weakened = (from: string, to: string) => {
    expect(BEFORE).toContain(from);
    return weakenedBy(planOf(BEFORE), planOf(BEFORE.replace(from, to))).map(({ message }) => message);
  };
  const shorter = ['the retention of one is shorter'];
  expect(weakened('daily: 7', 'daily: 6')).toEqual(shorter);
  expect(weakened('daily: 7, ', '')).toEqual(shorter);
  expect(weakened('within: 30d', 'within: 29d')).toEqual(shorter);
  expect(weakened('tags: [keep]', 'tags: [other]')).toEqual(shorter);
  expect(weakened('/all], schedule: daily }', '/all], schedule: daily, retention: { last: 1000 } }')).toEqual([
    'the retention of all is shorter',
  ]);
  expect(weakened('rpo: 2d', 'rpo: 3d')).toEqual(['the RPO of one is 3 d, and was 2 d']);
  expect(weakened('  eu: { store: ./eu, mirrorOf: main }\n', '')).toEqual(['the mirror eu is removed']);
  expect(weakened('for: 30d', 'for: 20d')).toEqual(['the lock of main is weaker']);
  expect(weakened(', lock: { mode: governance, for: 30d }', '')).toEqual(['the lock of main is removed']);
  expect(weakened('  all: { type: files, paths: [/all], schedule: daily }\n', '')).toEqual([
    'the source all is removed',
  ]);
  expect(weakened('verification:\n  - { name: daily, sources: [one], schedule: daily }\n', '')).toEqual([
    'the verification daily is removed',
  ]);
  expect(weakened('twoPersons: [retention]', 'twoPersons: []')).toEqual(['retention takes two persons no more']);
  expect(weakened('approvals:', 'alerts: { rules: { backup-failed: false } }\napprovals:')).toEqual([
    'the alert backup-failed is off',
  ]);
});

it('takes nothing for less that is more, or another thing', () => {
  for (const [from, to] of [
    ['daily: 7', 'daily: forever'],
    ['within: 30d', 'within: 1mo'],
    ['rpo: 2d', 'rpo: 1d'],
    ['name: test', 'name: other'],
    ['[/one]', '[/two]'],
  ] as const) {
    expect(weakenedBy(planOf(BEFORE), planOf(BEFORE.replace(from, to)))).toEqual([]);
  }
});

it('names what differs by key, and lists with names by name', () => {
  const before = { a: { b: 1, c: [1, 2] }, list: [{ name: 'x', v: 1 }, { name: 'y' }] };
  const after = { a: { b: 2, c: [1] }, list: [{ name: 'y' }, { name: 'x', v: 2 }, { name: 'z' }], d: null };
  expect(diffPlans(before, after)).toEqual([
    { path: 'a.b', kind: 'changed', before: 1, after: 2 },
    { path: 'a.c', kind: 'changed', before: [1, 2], after: [1] },
    { path: 'list.x.v', kind: 'changed', before: 1, after: 2 },
    { path: 'list.z', kind: 'added', after: { name: 'z' } },
    { path: 'd', kind: 'added', after: null },
  ]);
  const document = fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue());
  fc.assert(
    fc.property(document, document, (one, other) => {
      expect(diffPlans(one, structuredClone(one))).toEqual([]);
      const back = diffPlans(other, one).map(({ path }) => path);
      expect(
        diffPlans(one, other)
          .map(({ path }) => path)
          .sort(),
      ).toEqual(back.sort());
    }),
  );
});
