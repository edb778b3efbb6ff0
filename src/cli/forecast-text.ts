import { formatDuration, formatSize } from '../foundation/units.ts';
import type { ForecastReport } from '../operations/index.ts';
import { bad, doubtful, good, oneLine } from './text.ts';

/** What is to come of an RTO, in a few words. */
export function forecastText(forecast: ForecastReport): string {
  if (forecast.state === 'not-enough') return doubtful(oneLine`not enough to say: ${forecast.reason}`);
  const { nowMs, bytesPerDay, missedAt } = forecast;
  const growth = `${formatSize(bytesPerDay)} more a day`;
  const now = `${formatDuration(nowMs)} now, ${growth}`;
  if (missedAt === undefined) return `${good('kept')}: ${now}`;
  return `${bad(`missed from ${missedAt.slice(0, 10)} on`)}: ${now}`;
}
