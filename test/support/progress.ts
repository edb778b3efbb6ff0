/** Progress by which a test does something at a certain point of the work. */

import { noProgress, type Progress } from '../../src/foundation/progress.ts';

/** Does something when a phase is entered. */
export function inPhase(name: string, act: () => void): Progress {
  return { ...noProgress, phase: (entered) => void (entered === name && act()) };
}

/** Does something once, when so many bytes have been worked on. */
export function afterBytes(limit: number, act: () => void): Progress {
  let total = 0;
  return {
    ...noProgress,
    advance: ({ bytes = 0 }) => {
      if (total < limit && total + bytes >= limit) act();
      total += bytes;
    },
  };
}
