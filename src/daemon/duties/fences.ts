import { fenceReturned } from '../../recovery/index.ts';
import type { Duty, DutyContext } from '../duty.ts';

/** A server that comes back takes writes for so long at most, and those are counted. */
const EVERY_MS = 10_000;

/** Goes on trying to fence what was out of reach when an incident wanted it fenced; nothing, where no runbook fences. */
export function fenceDuties({ workspace, log }: DutyContext): Duty[] {
  const runbooks = [...workspace.plan.runbooks.values()];
  const fences: readonly string[] = ['postgres.fence', 'redis.promote'];
  if (!runbooks.some(({ steps }) => steps.some(({ document }) => fences.includes(document.do)))) return [];
  let lastMs = Number.NEGATIVE_INFINITY;
  return [
    {
      name: 'fences',
      nextMs: (nowMs) => (lastMs > nowMs ? nowMs : Math.max(nowMs, lastMs + EVERY_MS)),
      async run(nowMs, signal) {
        lastMs = nowMs;
        for (const { server, source, divergentTransactions } of await fenceReturned(workspace, signal)) {
          log.warn('an old primary came back and was fenced', { server, source, divergentTransactions });
        }
      },
    },
  ];
}
