/** Which standards a plan is held against: `compliance` of a plan. */
import { z } from 'zod';

export const FRAMEWORKS = ['soc2', 'iso27001', 'hipaa', 'gdpr'] as const;
export type Framework = (typeof FRAMEWORKS)[number];

export const compliance = z
  .strictObject(
    {
      frameworks: z
        .array(z.enum(FRAMEWORKS, { error: () => `one of ${FRAMEWORKS.join(', ')}` }), {
          error: () => 'a list of standards, such as [gdpr, soc2]',
        })
        .min(1, { error: () => 'at least one standard' })
        .meta({ description: 'The standards that `report compliance` holds the events of the ledger against.' }),
    },
    { error: () => 'standards such as { frameworks: [gdpr, hipaa, soc2, iso27001] }' },
  )
  .meta({ description: 'What the plan is held against by `report compliance`.' });
