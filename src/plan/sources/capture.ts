import { z } from 'zod';
import { parseDuration, parseSize } from '../../foundation/units.ts';
import { absolutePath, size, text } from '../values.ts';

const SHORTEST_MS = 1000;

export const capture = z
  .strictObject(
    {
      every: text(
        'a duration such as 1s or 5s, at least 1s',
        'How often what came is made durable; 5s by default.',
        (value) => ((parseDuration(value) ?? 0) >= SHORTEST_MS ? undefined : {}),
      ).optional(),
      spool: absolutePath(
        'A directory where the log waits while the repository is away; without one, only the server keeps it.',
      ).optional(),
      spoolLimit: size('How much of its disk the spool may take; 10GiB by default.').optional(),
      warnRetained: size(
        'From how much on, kept by the server for Holdfast, a person is told; 1GiB by default.',
      ).optional(),
      releaseAt: size(
        'When the server keeps so much for Holdfast, its slot is dropped: the server comes first, and what it then removes is lost to recovery. Without it the slot is never dropped.',
      ).optional(),
    },
    { error: () => 'how the log is captured, such as { every: 1s, releaseAt: 64GiB }' },
  )
  .meta({ description: 'How the log is captured. With wal: stream only.' });

/** How a log is captured, where the plan says so: a key that is absent is left to whoever captures it. */
export interface Capture {
  everyMs?: number;
  /** Absolute. */
  spoolDirectory?: string;
  spoolLimitBytes?: number;
  warnRetainedBytes?: number;
  releaseRetainedBytes?: number;
}

export function buildCapture({ every, spool, ...sizes }: z.output<typeof capture>): Capture {
  const { spoolLimit, warnRetained, releaseAt } = sizes;
  return {
    ...(every !== undefined && { everyMs: parseDuration(every)! }),
    ...(spool !== undefined && { spoolDirectory: spool }),
    ...(spoolLimit !== undefined && { spoolLimitBytes: parseSize(spoolLimit)! }),
    ...(warnRetained !== undefined && { warnRetainedBytes: parseSize(warnRetained)! }),
    ...(releaseAt !== undefined && { releaseRetainedBytes: parseSize(releaseAt)! }),
  };
}
