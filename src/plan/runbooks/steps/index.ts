/** The kinds of steps that a runbook may have: a file for each family. */
import { z } from 'zod';
import { nearestName } from '../../names.ts';
import { calls } from './calls.ts';
import { data } from './data.ts';
import { people } from './people.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';
import { routing } from './routing.ts';
import { security } from './security.ts';
import { watching } from './watching.ts';

const KINDS = [...people, ...calls, ...data, ...watching, ...postgres, ...redis, ...routing, ...security] as const;

export const step = z.discriminatedUnion('do', KINDS, { error: ({ input }) => expectedStep(input) });

/** A step as it is written, with defaults filled in. */
export type StepDocument = z.output<typeof step>;
export type StepKindName = StepDocument['do'];
/** A step of one kind. */
export type StepOf<Kind extends StepKindName> = Extract<StepDocument, { do: Kind }>;

export const STEP_KINDS: readonly StepKindName[] = KINDS.map(({ shape }) => shape.do.value);

function expectedStep(input: unknown): string {
  if (typeof input !== 'object' || input === null)
    return 'a step such as { id: check, do: service.check, service: api }';
  const given = (input as { do?: unknown }).do;
  const nearest = typeof given === 'string' ? nearestName(given, STEP_KINDS) : undefined;
  return nearest === undefined ? `"do" with one of ${STEP_KINDS.join(', ')}` : `"do: ${nearest}"`;
}
