/** A plan with one repository, `main`, and mirrors of it, in stores that tests look into. */

import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { type Environment, Workspace } from '../../src/operations/index.ts';
import type { Plan } from '../../src/plan/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { PASSWORD } from './repository.ts';

/** @param stores by the name of the repository; all but `main` are mirrors of it */
export function mirroredWorkspace(stores: Record<string, ObjectStore>, more: Partial<Plan> = {}): Workspace {
  const names = Object.keys(stores).filter((name) => name !== 'main');
  const plan: Plan = {
    version: 1,
    name: 'test',
    timezone: 'UTC',
    objectives: {},
    repositories: new Map([['main', { name: 'main', store: '/main', password: PASSWORD, s3: { pathStyle: false } }]]),
    mirrors: new Map(names.map((name) => [name, { name, store: `/${name}`, of: 'main', s3: { pathStyle: false } }])),
    sources: new Map(),
    standbys: new Map(),
    directory: '/',
    ...more,
  };
  const environment = {
    clock: systemClock,
    variables: {},
    version: '0.0.0',
    signal: new AbortController().signal,
    progress: () => noProgress,
    adapters: { openStore: async ({ path }: { path: string }) => stores[path.slice(1)] },
  } as unknown as Environment;
  return new Workspace({ plan }, environment);
}
