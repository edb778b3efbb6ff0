import type { Duty, DutyContext } from '../duty.ts';

/** A process that is gone on another machine holds its lease for so long at most. */
const EVERY_MS = 30_000;

/** Goes on, once it is started, with the incidents that a daemon before it ran. */
export function incidentDuties({ recoveries }: DutyContext): Duty[] {
  if (recoveries === undefined) return [];
  let isAll = false;
  let lastMs = Number.NEGATIVE_INFINITY;
  return [
    {
      name: 'incidents',
      nextMs: (nowMs) => (isAll ? Number.POSITIVE_INFINITY : lastMs > nowMs ? nowMs : lastMs + EVERY_MS),
      async run(nowMs) {
        lastMs = nowMs;
        isAll = await recoveries.goOn();
      },
    },
  ];
}
