import { formatDuration } from '../foundation/units.ts';
import type { Estimate } from '../source/index.ts';
import { counted, oneLine } from './text.ts';

/** What something would take before it is done. */
export function describeCost(
  source: string,
  { items, unit, reads, writes, deletes, cost, durationMs, notes }: Estimate,
): string {
  const operations = [
    counted(reads, 'read'),
    ...(writes > 0 ? [counted(writes, 'write')] : []),
    ...(deletes > 0 ? [counted(deletes, 'delete')] : []),
  ].join(', ');
  const figures = `${items.toLocaleString('en')} ${unit}, ${operations}, ${cost.toFixed(2)} by the plan's prices, about ${formatDuration(durationMs)}`;
  return [oneLine`${source}: ${figures}`, ...notes.map((note) => oneLine`  ${note}`)].join('\n');
}
