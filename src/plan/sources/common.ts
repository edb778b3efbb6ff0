/** What sources of all types have alike in a plan. */
import { z } from 'zod';
import { parseDuration } from '../../foundation/units.ts';
import { parseSchedule, type RetentionPolicy, type Schedule } from '../../schedule/index.ts';
import { type TextOrReference, textOrReference } from '../reference-schema.ts';
import { effectiveRetention, retention, retentionPolicy } from '../retention-schema.ts';
import { description, filled, identifier, objective, schedule } from '../values.ts';

export const objectives = z
  .strictObject(
    {
      rpo: objective(
        'Recovery point objective: how much may be lost, as the age of the newest recovery point.',
      ).optional(),
      rto: objective('Recovery time objective: how long until it is back.').optional(),
      proof: objective('How old the newest proven recovery point may be.').optional(),
    },
    { error: () => 'objectives such as { rpo: 1h, rto: 4h }' },
  )
  .meta({ description: 'What is promised. The objectives of a source come before those of the plan.' });

export const checkName = filled('a name', 'What the check is called in reports.');

export const command = z
  .array(textOrReference(filled('a word of the command', 'A word of the command.')), {
    error: () => 'a list of the program and its arguments',
  })
  .min(1, { error: () => 'a list of the program and its arguments' })
  .meta({ description: 'A program and its arguments; it must exit 0. No shell reads them.' });

export const commandCheck = z.strictObject(
  { name: checkName, exec: command },
  { error: () => 'a check such as { name: page loads, exec: [./check-page] }' },
);

export const validateDescription = 'What must hold for a restored copy before it counts as proven.';

export const common = {
  description: description.optional(),
  schedule: schedule.optional(),
  retention: retention.optional(),
  objectives: objectives.default({}),
  repository: identifier
    .meta({ description: 'The repository to keep it in; may be left out when there is one.' })
    .optional(),
  runsOn: z
    .record(identifier, filled('a label', 'The value of the label.'), { error: () => 'labels such as { host: db1 }' })
    .meta({ description: 'Labels that a worker must have to work on it; any worker when left out.' })
    .optional(),
};

/** What is promised; a key that is absent promises nothing. */
export interface Objectives {
  rpoMs?: number;
  rtoMs?: number;
  /** How old the newest proven recovery point may be. */
  proofMs?: number;
}

/** A check of a restored copy. */
export type ValidateCheck =
  /** The one value the query gives must be true. */
  | { kind: 'sql'; name: string; sql: TextOrReference }
  /** The one value the query gives is a time, and must be this close to the recovery point. */
  | { kind: 'sql-within'; name: string; sql: TextOrReference; withinMs: number }
  /** So many documents the collection must have at least, and may have at most. */
  | { kind: 'count'; name: string; collection: string; atLeast?: number; atMost?: number }
  /** The program must exit 0. */
  | { kind: 'exec'; name: string; exec: TextOrReference[] };

/** Those of a database that understands SQL. */
export type DatabaseCheck = Extract<ValidateCheck, { kind: 'sql' | 'sql-within' | 'exec' }>;

export interface SourceBase {
  name: string;
  /** What it is, for people. */
  description?: string;
  /** The name of the repository it is kept in. */
  repository: string;
  /** Its own, filled up with the plan's. */
  objectives: Objectives;
  schedule?: Schedule;
  /** Without one, everything is kept. What is continuous has one in any case. */
  retention?: RetentionPolicy;
  /** Labels of a worker; any may when there are none. */
  runsOn?: Readonly<Record<string, string>>;
  validate: ValidateCheck[];
}

type CommonDocument = z.output<z.ZodObject<typeof common>>;

/** What sources of all types have alike, but for the repository, which is the plan's to choose, and the checks. */
export function baseOf(
  name: string,
  source: CommonDocument,
  promised: z.output<typeof objectives>,
): Omit<SourceBase, 'repository' | 'validate'> {
  const parsed = source.schedule === undefined ? undefined : parseSchedule(source.schedule);
  const kept = effectiveRetention(source);
  return {
    name,
    ...(source.description !== undefined && { description: source.description }),
    ...(source.runsOn !== undefined && { runsOn: source.runsOn }),
    objectives: buildObjectives({ ...promised, ...source.objectives }),
    ...(parsed !== undefined && 'schedule' in parsed ? { schedule: parsed.schedule } : {}),
    ...(kept === undefined ? {} : { retention: retentionPolicy(kept) }),
  };
}

export function buildObjectives(document: z.output<typeof objectives>): Objectives {
  const [rpoMs, rtoMs, proofMs] = [document.rpo, document.rto, document.proof].map((value) =>
    value === undefined ? undefined : parseDuration(value),
  );
  return {
    ...(rpoMs === undefined ? {} : { rpoMs }),
    ...(rtoMs === undefined ? {} : { rtoMs }),
    ...(proofMs === undefined ? {} : { proofMs }),
  };
}

export function buildCommandCheck({
  name,
  exec,
}: z.output<typeof commandCheck>): Extract<ValidateCheck, { kind: 'exec' }> {
  return { kind: 'exec', name, exec };
}
