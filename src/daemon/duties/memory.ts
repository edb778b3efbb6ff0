import { giveBackMemory } from '../../foundation/memory.ts';
import type { MakeDuties } from '../duty.ts';

const REST_MS = 5000;

/** Gives back what runs have left of memory, once none has ended for some seconds: most of the time nothing is to be done. */
export const memoryDuties: MakeDuties = ({ record }) => {
  let ended = 0;
  let dueMs = Number.POSITIVE_INFINITY;
  return [
    {
      name: 'memory',
      nextMs(nowMs) {
        if (record.runs.ended !== ended) dueMs = nowMs + REST_MS;
        ({ ended } = record.runs);
        return dueMs;
      },
      async run() {
        dueMs = Number.POSITIVE_INFINITY;
        giveBackMemory();
      },
    },
  ];
};
