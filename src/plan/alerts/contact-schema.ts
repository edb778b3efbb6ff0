/** Who is to be reached, and how: `contacts` of a plan. */
import { z } from 'zod';
import { filled, identifier } from '../values.ts';

export const contact = z
  .strictObject(
    {
      role: filled('a role', 'What the person is responsible for.'),
      name: filled('a name', 'Who it is, where that is settled.').optional(),
      phone: filled('a telephone number', 'Where the person can be called.').optional(),
      email: filled('an address', 'Where mail reaches the person.').optional(),
      channel: identifier
        .meta({ description: 'The channel of `alerts` through which alerts reach the person.' })
        .optional(),
    },
    { error: () => 'a contact such as { role: On-call engineer, channel: pager }' },
  )
  .meta({ description: 'A person, or whoever has a role just now.' });

export interface Contact {
  id: string;
  role: string;
  name?: string;
  phone?: string;
  email?: string;
  /** The name of a channel. */
  channel?: string;
}

export function buildContact(id: string, { role, name, phone, email, channel }: z.output<typeof contact>): Contact {
  return {
    ...{ id, role },
    ...(name !== undefined && { name }),
    ...(phone !== undefined && { phone }),
    ...(email !== undefined && { email }),
    ...(channel !== undefined && { channel }),
  };
}
