/** How a plan came to be before its revisions were recorded: `history` of a plan. */
import { z } from 'zod';
import { filled, text } from './values.ts';

const DATE_NOTATION = 'a date such as 2025-11-28';

const earlier = z
  .strictObject(
    {
      version: filled('a text such as "1.0"', 'What it was called.'),
      date: text(DATE_NOTATION, 'When it was made.', (value) => (isDate(value) ? undefined : {})),
      change: filled('a text', 'What was new in it.'),
    },
    { error: () => 'a version such as { version: "1.0", date: 2025-11-28, change: the first one }' },
  )
  .meta({ description: 'A version of the playbook.' });

export const history = z
  .array(earlier, { error: () => 'a list of versions' })
  .default([])
  .meta({
    description: 'Versions of the playbook from before it was a plan. Revisions of the plan itself are in the ledger.',
  });

export type EarlierVersion = z.output<typeof earlier>;

function isDate(value: string): boolean {
  const timeMs = /^\d{4}-\d{2}-\d{2}$/.test(value) ? Date.parse(value) : Number.NaN;
  // Another program would take the 30th of February for a day in March.
  return !Number.isNaN(timeMs) && new Date(timeMs).toISOString().startsWith(value);
}
