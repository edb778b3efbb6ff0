import { formatSize } from '../foundation/units.ts';
import type { RequestsToStore } from '../operations/index.ts';
import { counted } from './text.ts';

/** A line a repository: `primary: 1,204 requests, 3.1 GiB sent, 12 MiB received, an estimated cost of 0.0071`. */
export function describeRequests(byRepository: Readonly<Record<string, RequestsToStore>>): string {
  return Object.entries(byRepository)
    .map(([name, { requests, failed, sentBytes, receivedBytes, estimatedCost }]) => {
      const total = Object.values(requests).reduce((sum, count) => sum + count, 0);
      const failures = failed === 0 ? '' : ` (${failed.toLocaleString('en')} failed)`;
      const bytes = `${formatSize(sentBytes)} sent, ${formatSize(receivedBytes)} received`;
      return `${name}: ${counted(total, 'request')}${failures}, ${bytes}, an estimated cost of ${estimatedCost}`;
    })
    .join('\n');
}
