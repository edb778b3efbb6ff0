/** `examples/coverage.yaml`: what of the product answers each unit of a playbook. */
import { z } from 'zod';

const several = z.union([z.string(), z.array(z.string()).min(1)]).transform((value) => [value].flat());

const entry = z.strictObject({
  digest: z.string().regex(/^[0-9a-f]{12}$/),
  /** Keys of the example, such as `sources.crm.retention.daily`. */
  plan: several.optional(),
  /** Steps of the example's runbooks, as `RUNBOOK.ID`. */
  step: several.optional(),
  /** Commands, by their names. */
  command: several.optional(),
  /** Tests, as `FILE: NAME`. */
  test: several.optional(),
  /** Numbers that it says, and that the playbook which is rendered from the example says as well. */
  figures: z.array(z.string()).default([]),
  /** Numbers that promise nothing, as they are written there: of a title, or of a shell's syntax. */
  promisesNothing: z.array(z.string()).default([]),
  /** The budgets of all the units that name the same step make up that of the step. */
  together: z.boolean().default(false),
});

export const coverageDocument = z.record(
  z.string(),
  z.strictObject({
    /** The plan that it is about. */
    example: z.string(),
    /** By section, the chapters of the rendered playbook that answer it, by their headings. */
    chapters: z.record(z.string(), several).default({}),
    /** By section, in the order of its units. */
    sections: z.record(z.string(), z.array(entry).min(1)),
  }),
);

export type CoverageEntry = z.output<typeof entry>;
export type Coverage = z.output<typeof coverageDocument>;
