/** What "up" means: `services` of a plan. */
import { z } from 'zod';
import { parseDuration } from '../foundation/units.ts';
import { type TextOrReference, textOrReference } from './reference-schema.ts';
import { type Complaint, duration, filled, text } from './values.ts';

const url = (description: string) =>
  textOrReference(text('a URL such as https://api.example.com/health', description, judgeUrl));

function judgeUrl(value: string): Complaint | undefined {
  if (!URL.canParse(value)) return {};
  const { protocol, username, password } = new URL(value);
  if (username !== '' || password !== '') return { message: 'credentials are never written in the plan' };
  return /^https?:$/.test(protocol) ? undefined : {};
}

export const service = z
  .strictObject(
    {
      http: url('What is asked with GET: any answer from 200 to 399 is good.'),
      every: duration('How often it is asked.').default('30s'),
      timeout: duration('How long an answer may take before it counts as none.').default('10s'),
      from: filled(
        'the name of a place',
        'From where it is to be asked, as workers are labelled. As long as there are none, it is asked from where `serve` runs, and the name is shown beside what was seen.',
      ).optional(),
      errorRate: z
        .strictObject(
          {
            prometheus: url('The address of a Prometheus server.'),
            query: filled(
              'a query',
              'A query of PromQL that gives one number: the share of requests that failed, from 0 to 1.',
            ),
          },
          { error: () => 'a query such as { prometheus: https://…, query: "…" }' },
        )
        .meta({ description: 'Where the share of failed requests is known.' })
        .optional(),
    },
    { error: () => 'a service such as { http: https://api.example.com/health, every: 30s }' },
  )
  .meta({ description: 'A service that people use, and what "up" means for it.' });

export interface Service {
  name: string;
  http: TextOrReference;
  everyMs: number;
  timeoutMs: number;
  from?: string;
  errorRate?: { prometheus: TextOrReference; query: string };
}

export function buildService(
  name: string,
  { http, every, timeout, from, errorRate }: z.output<typeof service>,
): Service {
  return {
    ...{ name, http, everyMs: parseDuration(every)!, timeoutMs: parseDuration(timeout)! },
    ...(from !== undefined && { from }),
    ...(errorRate !== undefined && { errorRate }),
  };
}
