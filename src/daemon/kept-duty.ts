import { removeKept } from '../operations/index.ts';
import { closeDiedDrills } from '../recovery/index.ts';
import type { MakeDuties } from './duty.ts';

const EVERY_MS = 3600_000;

/** Removes what proofs and drills left on this machine for somebody to look at, once its time is over, and ends what nobody goes on with. */
export const keptDuties: MakeDuties = ({ workspace }) => {
  let nextMs = 0;
  return [
    {
      name: 'kept sandboxes',
      // A clock that was set back must not put it off.
      nextMs: (nowMs) => (nextMs > nowMs + EVERY_MS ? nowMs : Math.max(nextMs, nowMs)),
      async run(nowMs) {
        nextMs = nowMs + EVERY_MS;
        await removeKept(workspace);
        await closeDiedDrills(workspace);
      },
    },
  ];
};
