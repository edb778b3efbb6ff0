import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { understoodPlan } from './understood.ts';

const known = {
  name: 'shop',
  repositories: new Map([['main', { store: '/srv/main', password: { env: 'KIT' } }]]),
};
const files = { type: 'files', paths: ['/srv/data'] };
const planOf = (more: object) => ({
  ...{ version: 1, name: 'shop', repositories: { main: { store: '/srv/main', password: { env: 'P' } } } },
  ...{ sources: { docs: files }, ...more },
});
const understood = (plan: unknown) => understoodPlan(JSON.stringify(plan), known, '/');

describe('what is understood of a plan', () => {
  it('is all of one that this version wrote', () => {
    const { plan, leftOut, sourcesLeftOut } = understood(planOf({}))!;
    expect([[...plan.sources.keys()], leftOut, sourcesLeftOut.size]).toEqual([['docs'], [], 0]);
    expect(plan.repositories.get('main')).toMatchObject({ store: '/srv/main', password: { env: 'KIT' } });
  });

  it('is the rest of one that another version wrote, and what is not is named', () => {
    const { plan, leftOut, sourcesLeftOut } = understood(
      planOf({
        version: 2,
        weather: 'fair',
        repositories: { main: { store: { teleport: 'x' }, shards: 3 } },
        sources: {
          docs: { ...files, colour: 'red' },
          lake: { type: 'lake', url: 'x' },
          far: { ...files, repository: 'elsewhere' },
          half: { type: 'files' },
        },
        groups: { all: { sources: ['docs', 'lake'] } },
      }),
    )!;
    expect([...plan.sources.keys()]).toEqual(['docs']);
    expect(plan.groups.get('all')?.sources).toEqual(['docs']);
    // A source that would be read from another repository, or as another kind, is not guessed at.
    expect([...sourcesLeftOut]).toEqual([
      ['lake', expect.stringMatching(/^sources.lake.type: /)],
      ['far', expect.stringMatching(/^sources.far.repository: there is no repository "elsewhere"/)],
      ['half', expect.stringMatching(/^sources.half.paths: missing/)],
    ]);
    for (const each of [/^version: /, /^weather: /, /^repositories.main.shards: /, /^sources.docs.colour: /]) {
      expect(leftOut).toContainEqual(expect.stringMatching(each));
    }
  });

  it('is nothing of what is no plan', () => {
    expect(understoodPlan('{', known, '/')).toBeUndefined();
    for (const none of [7, [], null, 'text', { sources: 3 }]) expect(understood(none)).toBeUndefined();
    expect(understood(planOf({ sources: { lake: { type: 'lake' } } }))).toBeUndefined();
  });

  it('is a plan or nothing, whatever is in it', () => {
    const names = [
      'sources',
      'docs',
      'type',
      'paths',
      'groups',
      'repositories',
      'main',
      'objectives',
      'alerts',
      'runbooks',
    ];
    const anything = fc.jsonValue({ maxDepth: 3 });
    const nested = fc.dictionary(fc.constantFrom(...names), fc.dictionary(fc.constantFrom(...names), anything));
    fc.assert(
      fc.property(nested, (more) => {
        const found = understood(planOf(more));
        expect(found === undefined || found.plan.name === 'shop').toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
