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
      accounts: z
        .array(filled('the name of an account', 'An account of a machine, or the name of a token of the API.'), {
          error: () => 'a list of names of accounts',
        })
        .min(1, { error: () => 'at least one account' })
        .meta({ description: 'The accounts that may answer as this contact; any account, when left out.' })
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
  /** Who may answer as this contact: names of accounts and of tokens; anybody where it is absent. */
  accounts?: string[];
}

export function buildContact(id: string, document: z.output<typeof contact>): Contact {
  const { role, name, phone, email, channel, accounts } = document;
  return {
    ...{ id, role },
    ...(name !== undefined && { name }),
    ...(phone !== undefined && { phone }),
    ...(email !== undefined && { email }),
    ...(channel !== undefined && { channel }),
    ...(accounts !== undefined && { accounts }),
  };
}
