import type { RecoveryForecast } from '../alerts/facts/samples.ts';
import type { Workspace } from '../workspace.ts';
import { growthSummary } from './growth-summary.ts';
import { rtoForecast } from './rto-forecast.ts';

/** What recoveries of a plan's sources take, where enough is known to say. @throws what keeps a repository from being read */
export async function recoveryForecasts(workspace: Workspace): Promise<RecoveryForecast[]> {
  const nowMs = workspace.environment.clock.nowMs();
  const forecasts: RecoveryForecast[] = [];
  for (const repository of workspace.homeNames) {
    const sources = [...workspace.plan.sources.values()].filter((each) => each.repository === repository);
    if (sources.every(({ objectives }) => objectives.rtoMs === undefined)) continue;
    const { state } = await (await workspace.open(repository)).ledger.view(growthSummary).read();
    for (const source of sources) {
      const forecast = rtoForecast(source, state.get(source.name)?.events ?? [], nowMs);
      if (forecast === undefined || forecast.state === 'not-enough') continue;
      const { nowMs: takesMs, missedAtMs } = forecast;
      const promisedMs = source.objectives.rtoMs!;
      forecasts.push({
        source: source.name,
        nowMs: takesMs,
        promisedMs,
        ...(missedAtMs !== undefined && { missedAtMs }),
      });
    }
  }
  return forecasts;
}
