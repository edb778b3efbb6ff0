/** A plan with one repository, `main`, and mirrors of it, in stores that tests look into. */

import { systemClock } from '../../src/foundation/clock.ts';
import { noProgress } from '../../src/foundation/progress.ts';
import { adapters } from '../../src/main/adapters.ts';
import { type Adapters, type Environment, Workspace } from '../../src/operations/index.ts';
import type { FilesSource, Plan } from '../../src/plan/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { planWith } from './plan.ts';
import { PASSWORD } from './repository.ts';

/** @param stores by the name of the repository; all but `main` are mirrors of it */
export function mirroredWorkspace(
  stores: Record<string, ObjectStore>,
  more: Partial<Plan> = {},
  { clock = systemClock, signal = new AbortController().signal }: Partial<Pick<Environment, 'clock' | 'signal'>> = {},
): Workspace {
  const names = Object.keys(stores).filter((name) => name !== 'main');
  const plan = planWith({
    repositories: new Map([['main', { name: 'main', store: '/main', password: PASSWORD, s3: { pathStyle: false } }]]),
    mirrors: new Map(names.map((name) => [name, { name, store: `/${name}`, of: 'main', s3: { pathStyle: false } }])),
    ...more,
  });
  const openStore: Adapters['openStore'] = async (place) => stores[place.kind === 'local' ? place.path.slice(1) : '']!;
  const environment = {
    clock,
    variables: {},
    version: '0.0.0',
    signal,
    progress: () => noProgress,
    adapters: { ...adapters, openStore },
  } satisfies Environment;
  return new Workspace({ plan }, environment);
}

/** Files of a directory, as such a plan names them. */
export function plannedFiles(name: string, path: string, more: Partial<FilesSource> = {}): Pick<Plan, 'sources'> {
  const common = { repository: 'main', objectives: {}, validate: [], exclude: [] };
  return { sources: new Map([[name, { name, type: 'files', paths: [path], ...common, ...more }]]) };
}
