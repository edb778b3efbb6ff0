import type { LedgerEvent } from '../../ledger/index.ts';
import type { Plan } from '../../plan/index.ts';
import { type RtoForecast, rtoForecast } from './rto-forecast.ts';

/** How soon is soon, where the plan turned the rule off that says so. */
const USUAL_MS = 30 * 24 * 3_600_000;

/** A forecast as it is told; `missedAt` is RFC 3339. */
export type ForecastReport =
  | Extract<RtoForecast, { state: 'not-enough' }>
  | (Omit<Extract<RtoForecast, { nowMs: number }>, 'missedAtMs'> & { missedAt?: string });

export interface NearForecast {
  source: string;
  forecast: ForecastReport;
}

/**
 * Of the sources of a plan whose RTO will be missed as soon as the plan wants to hear of it, or is now.
 * @param eventsOf the ledger of a repository, oldest first
 */
export function forecastsNear(
  { sources, alerts }: Plan,
  eventsOf: (repository: string) => readonly LedgerEvent[],
  nowMs: number,
): NearForecast[] {
  const withinMs = alerts.rules.get('rto-forecast')?.withinMs ?? USUAL_MS;
  return [...sources.values()].flatMap((source): NearForecast[] => {
    const forecast = rtoForecast(source, eventsOf(source.repository), nowMs);
    if (forecast?.state !== 'missed' || forecast.missedAtMs! > nowMs + withinMs) return [];
    return [{ source: source.name, forecast: reportedForecast(forecast) }];
  });
}

export function reportedForecast(forecast: RtoForecast): ForecastReport {
  if (forecast.state === 'not-enough') return forecast;
  const { missedAtMs, ...rest } = forecast;
  return { ...rest, ...(missedAtMs !== undefined && { missedAt: new Date(missedAtMs).toISOString() }) };
}
