import type { Plan } from '../../plan/index.ts';

/** Sources that are brought back to one moment. */
export interface RecoveryStage {
  /** The group of the plan; absent of sources that belong to none. */
  group?: string;
  /** The most important first. */
  sources: string[];
}

/** In which order a plan's sources are brought back: its groups as they are written, then what belongs to none. Each once. Pure. */
export function recoveryOrder({ groups, sources }: Pick<Plan, 'groups' | 'sources'>): RecoveryStage[] {
  const placed = new Set<string>();
  const takeNew = (names: Iterable<string>): string[] => {
    const fresh = [...names].filter((name) => !placed.has(name));
    for (const name of fresh) placed.add(name);
    return fresh;
  };
  const stages: RecoveryStage[] = [...groups.values()].map((group) => ({
    group: group.name,
    sources: takeNew(group.sources),
  }));
  return [...stages, { sources: takeNew(sources.keys()) }].filter(({ sources: own }) => own.length > 0);
}
