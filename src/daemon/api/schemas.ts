import { z } from '@hono/zod-openapi';

/** Parts of answers that several operations have. Descriptions are for the API's own description. */

export const time = z.string().openapi({ format: 'date-time' });
export const failure = z.object({ time, code: z.string(), message: z.string() });

export const errorDocument = z
  .object({
    code: z.string().openapi({ description: 'Stable: what a program decides by.' }),
    message: z.string(),
    hint: z.string().optional().openapi({ description: 'A sentence that says what to do next.' }),
    retryable: z.literal(true).optional(),
    context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
    problems: z.array(z.unknown()).optional(),
  })
  .openapi('Error');

export const snapshotAt = z.object({ snapshot: z.string(), time });
