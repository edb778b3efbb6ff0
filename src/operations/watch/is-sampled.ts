import { hasLog, type Plan } from '../../plan/index.ts';

/** Whether a plan names anything that `serve` samples all the time, so that each day of watching leaves a summary. Pure. */
export function isSampled({ services, standbys, mirrors, sources, repositories }: Plan): boolean {
  const isLimited = [...repositories.values()].some(({ capacity }) => capacity !== undefined);
  return services.size + standbys.size + mirrors.size > 0 || isLimited || [...sources.values()].some(hasLog);
}
