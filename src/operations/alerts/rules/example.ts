import type { Plan, Source as PlanSource } from '../../../plan/index.ts';
import type { Facts, RepositoryFacts, RunFacts, SourceFacts } from '../facts/facts.ts';
import type { Sample } from '../facts/samples.ts';

/** Facts of a plan of which nothing is wrong, but for what is given. */
export function exampleFacts(plan: Plan, nowMs: number, more: Partial<Facts>): Facts {
  return {
    ...{ nowMs, sinceMs: nowMs, plan, sources: [], repositories: [], mirrors: [], archives: [], forecasts: [] },
    leftAlone: new Map(),
    record: {
      isKnown: true,
      runs: new Map(),
      reviews: new Map(),
      failedChannels: [],
      recoveries: { lateSteps: [], breaches: [], dueReviews: [], open: [] },
      drills: new Map(),
      kit: {},
    },
    ...more,
  };
}

/** The first source of the plan, or a made-up one, with nothing wrong but what is given. */
export function exampleSource(plan: Plan, more: Partial<Omit<SourceFacts, 'source'>> = {}): SourceFacts {
  const source: PlanSource = [...plan.sources.values()][0] ?? {
    ...{ name: 'example', repository: 'example', objectives: {}, validate: [] },
    ...{ type: 'files', paths: ['/srv'], exclude: [] },
  };
  const { name, type, repository, objectives } = source;
  return {
    source,
    status: { source: name, type, repository, snapshots: 0, objectives, actual: {}, missed: [] },
    ...{ backups: [], points: [], suspects: [] },
    ...more,
  };
}

export function exampleRepository(plan: Plan, more: Partial<RepositoryFacts> = {}): RepositoryFacts {
  const repository = [...plan.repositories.keys()][0] ?? 'example';
  return { repository, isKnown: true, locks: [], damage: [], capacities: [], ...more };
}

/** The runs of one task. */
export function exampleRuns(task: string, more: Partial<RunFacts>): ReadonlyMap<string, RunFacts> {
  return new Map([[task, { task, ...more }]]);
}

/** A sample every half a minute until now. */
export function exampleSamples(nowMs: number, count: number, sample: Omit<Sample, 'timeMs'>): Sample[] {
  return Array.from({ length: count }, (_, index) => ({ timeMs: nowMs - (count - 1 - index) * 30_000, ...sample }));
}

/** The first service of the plan, or a made-up name. */
export function exampleService(plan: Plan): string {
  return [...plan.services.keys()][0] ?? 'example';
}
