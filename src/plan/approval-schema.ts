/** What one person alone may not do: `approvals` of a plan. */
import { z } from 'zod';

const TWO_PERSONS = ['retention', 'unlock', 'key-remove'] as const;
export type ApprovedAction = (typeof TWO_PERSONS)[number];

export const approvals = z
  .strictObject(
    {
      twoPersons: z
        .array(z.enum(TWO_PERSONS, { error: () => `one of ${TWO_PERSONS.join(', ')}` }), {
          error: () => `a list of ${TWO_PERSONS.join(', ')}`,
        })
        .default([])
        .meta({
          description:
            'What takes two persons, beside taking anything off this list: `retention`, to shorten one; `unlock`, to remove locks of who is at work; `key-remove`, to take a password away.',
        }),
    },
    { error: () => 'approvals such as { twoPersons: [retention, unlock, key-remove] }' },
  )
  .meta({ description: 'What one person alone may not do.' });
