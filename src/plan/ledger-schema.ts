/** What keeps the audit trail: `ledger` of a plan. */
import { z } from 'zod';
import { parseSchedule, type Schedule } from '../schedule/index.ts';
import { reference, type TextOrReference, textOrReference } from './reference-schema.ts';
import { parseStore, STORE_NOTATION } from './store.ts';
import { identifier, schedule, text } from './values.ts';

export const ledger = z
  .strictObject(
    {
      signingKey: reference
        .meta({
          description:
            'The Ed25519 key in PEM that signs checkpoints and evidence, as a reference. `init` makes it where it is a file that is not there. It must not lie where the repositories do.',
        })
        .optional(),
      checkpoints: z
        .strictObject(
          {
            schedule: schedule.default('daily'),
            to: z
              .array(
                textOrReference(
                  text(STORE_NOTATION, 'Where copies of checkpoints go: outside of the repositories.', (value) => {
                    const place = parseStore(value, '/');
                    return 'problem' in place ? { message: place.problem } : undefined;
                  }),
                ),
                { error: () => `a list of places, each ${STORE_NOTATION}` },
              )
              .default([])
              .meta({ description: 'Where copies of checkpoints go: outside of the repositories.' }),
            channels: z
              .array(identifier, { error: () => 'a list of channels' })
              .default([])
              .meta({ description: 'The channels that each checkpoint is sent to as well.' }),
          },
          {
            error: () =>
              'checkpoints such as { schedule: daily, to: [s3://elsewhere/checkpoints], channels: [office] }',
          },
        )
        .meta({ description: 'When what the ledger holds is signed, and where copies of that go.' })
        .optional(),
    },
    { error: () => 'a ledger such as { signingKey: { file: signing.pem }, checkpoints: { schedule: daily } }' },
  )
  .superRefine(({ signingKey, checkpoints }, context) => {
    if (checkpoints === undefined || signingKey !== undefined) return;
    const message = 'checkpoints are signed: expected a reference to the key, such as { file: signing.pem }';
    context.addIssue({ code: 'custom', path: ['signingKey'], message, params: { message } });
  })
  .meta({ description: 'The audit trail.' });

/** How the ledger is signed. */
export interface LedgerKeeping {
  signingKey?: TextOrReference;
  checkpoints?: { schedule: Schedule; to: TextOrReference[]; channels: string[] };
}

export function buildLedger({ signingKey, checkpoints }: z.output<typeof ledger>): LedgerKeeping {
  return {
    ...(signingKey && { signingKey }),
    ...(checkpoints && { checkpoints: { ...checkpoints, schedule: scheduleOf(checkpoints.schedule) } }),
  };
}

/** Of a text that has passed the schema. */
function scheduleOf(when: string): Schedule {
  const parsed = parseSchedule(when);
  if ('problem' in parsed) throw new TypeError(parsed.problem);
  return parsed.schedule;
}
