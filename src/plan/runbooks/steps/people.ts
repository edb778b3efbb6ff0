/** Steps that people have a part in. */
import { z } from 'zod';
import { severity } from '../../alerts/rule-schema.ts';
import { duration, filled, identifier } from '../../values.ts';
import { names, stepSchema, template } from './common.ts';

export const people = [
  stepSchema('approve', 'Waits until persons agree.', {
    ask: template('a question', 'What they agree to.'),
    by: names('contacts', 'Who may agree, by their names in `contacts`.'),
    count: z
      .int({ error: () => 'a whole number' })
      .min(1, { error: () => '1 or more' })
      .default(1)
      .meta({ description: 'How many distinct persons.' }),
  }),
  stepSchema('notify', 'Tells people.', {
    to: names('channels and contacts', 'Channels of `alerts`, or contacts.'),
    message: template('a text', 'What they are told.'),
    severity: severity.optional(),
  }),
  stepSchema('note', 'Writes a line into the record.', { text: template('a text', 'The line.') }),
  stepSchema('task', 'A person does it, and says so with `holdfast incident done`.', {
    ask: template('a text', 'What is to be done.'),
    assignee: identifier.meta({ description: 'The contact whose task it is.' }).optional(),
    instructions: template('a text', 'How, in detail.').optional(),
    checklist: z
      .array(filled('a text', 'One thing to look at.'), { error: () => 'a list of texts' })
      .meta({ description: 'What has to be true before it is done.' })
      .optional(),
  }),
  stepSchema('wait', 'Lets time pass.', { for: duration('How long.') }),
  stepSchema(
    'review',
    'The meeting afterwards: due so long after the end of the recovery, and alarmed when not held.',
    {
      attendees: names('contacts', 'Who takes part.').optional(),
    },
  ),
] as const;
