/** The recovery kit: `kit` of a plan. */
import { z } from 'zod';
import { reference, type TextOrReference } from './reference-schema.ts';
import { filled } from './values.ts';

export const kit = z
  .strictObject(
    {
      file: filled(
        'the path of a file',
        'Where the newest kit is written, relative to the plan; its page lies beside it.',
      ).default('holdfast-kit.age'),
      passphrase: reference
        .meta({
          description:
            'What opens the kit where nobody is asked, as a drill of a rescue needs it. It must not lie where the kit does.',
        })
        .optional(),
    },
    { error: () => 'a kit such as { file: holdfast-kit.age, passphrase: { env: HOLDFAST_KIT_PASSPHRASE } }' },
  )
  .meta({ description: 'The recovery kit, which brings everything back on an empty machine.' });

/** Where the newest recovery kit is, and what opens it. */
export interface KitPlan {
  /** As written: relative to the plan. */
  file: string;
  passphrase?: TextOrReference;
}

export function buildKit({ file, passphrase }: z.output<typeof kit>): KitPlan {
  return { file, ...(passphrase !== undefined && { passphrase }) };
}
