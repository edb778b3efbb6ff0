import { z } from 'zod';
import { identifier, schedule } from './values.ts';

export const copies = z
  .strictObject(
    {
      from: identifier.meta({ description: 'The repository that snapshots are copied from.' }),
      sources: z
        .array(identifier, { error: () => 'a list of sources' })
        .min(1, { error: () => 'at least one source' })
        .meta({ description: 'The sources of which each run copies the newest complete snapshot.' }),
      schedule: schedule
        .meta({
          description: 'When a copy is due, which `replicate` then makes. Without it, only `replicate NAME` does.',
        })
        .optional(),
    },
    { error: () => 'what is copied, such as { from: primary, sources: [crm], schedule: weekly on sunday at 03:00 }' },
  )
  .meta({ description: 'Makes the repository an archive: chosen snapshots are copied there on a schedule.' });
