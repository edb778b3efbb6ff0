import type { Duty, DutyContext } from '../duty.ts';

/** A process that is gone on another machine holds its lease for so long at most; and a person has said how to go on. */
const EVERY_MS = 30_000;

/** Goes on with incidents that the daemon is to run and no process runs; nothing, where no runbook could have led to one. */
export function incidentDuties({ recoveries, workspace }: DutyContext): Duty[] {
  if (recoveries === undefined) return [];
  const { runbooks } = workspace.plan;
  let isNone = false;
  let lastMs = Number.NEGATIVE_INFINITY;
  return [
    {
      name: 'incidents',
      nextMs: (nowMs) => {
        if (isNone && runbooks.size === 0) return Number.POSITIVE_INFINITY;
        return lastMs > nowMs ? nowMs : lastMs + EVERY_MS;
      },
      async run(nowMs) {
        lastMs = nowMs;
        isNone = await recoveries.goOn();
      },
    },
  ];
}
