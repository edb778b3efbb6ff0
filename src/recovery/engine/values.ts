/** What places in a step stand for: parameters, what earlier steps found out, the incident. Pure. */
import { HoldfastError } from '../../foundation/errors.ts';
import { fillTemplate, namesInTemplate, type SecretReference } from '../../plan/index.ts';
import type { RunState, StepState } from './state.ts';

/** What a name stands for; undefined where it is not known. */
export type Lookup = (name: string) => string | undefined;

/** `${target}`, `${point.time}`, `${check.state}`, `${incident.since}`. */
export function lookupOf(state: RunState): Lookup {
  return (name) => {
    const dot = name.indexOf('.');
    if (dot < 0) return state.started.params[name];
    const [id, output] = [name.slice(0, dot), name.slice(dot + 1)];
    if (id === 'incident') return ofIncident(state, output);
    const step = state.steps.find(({ plan }) => plan.id === id);
    if (step === undefined) return undefined;
    if (output === 'state') return stateWord(step);
    const value = Object.hasOwn(step.outputs, output) ? step.outputs[output] : undefined;
    return value === undefined ? undefined : String(value);
  };
}

function ofIncident({ id, started, kind, runbook }: RunState, output: string): string | undefined {
  const known: Record<string, string> = { id, since: started.since, severity: started.severity, runbook, kind };
  return known[output];
}

function stateWord({ phase }: StepState): string {
  return phase === 'timed-out' || phase === 'died' ? 'failed' : phase;
}

/** Keys of a step that are for people, or were looked at before. */
const NOT_FILLED: readonly string[] = ['when', 'drill'];
const FOR_PEOPLE: readonly string[] = ['title', 'byHand'];

/**
 * A step with what is known filled in. A text that is nothing but a parameter which was given as `env:NAME` becomes the
 * reference, so that its value is in no event.
 * @param isComplete that nothing may be left as it is written: else a look beforehand
 * @throws value-missing
 */
export function fillStep<Document extends object>(document: Document, value: Lookup, isComplete: boolean): Document {
  const entries = Object.entries(document).map(([key, written]) => {
    if (NOT_FILLED.includes(key)) return [key, written];
    return [key, fill(written, value, isComplete && !FOR_PEOPLE.includes(key))];
  });
  return Object.fromEntries(entries) as Document;
}

function fill(written: unknown, value: Lookup, isComplete: boolean): unknown {
  if (typeof written === 'string') return fillText(written, value, isComplete);
  if (Array.isArray(written)) return written.map((each) => fill(each, value, isComplete));
  if (typeof written !== 'object' || written === null) return written;
  return Object.fromEntries(Object.entries(written).map(([key, each]) => [key, fill(each, value, isComplete)]));
}

const WHOLE = /^\$\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}$/;
const BY_ENVIRONMENT = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;

function fillText(text: string, value: Lookup, isComplete: boolean): string | SecretReference {
  const [, parameter] = WHOLE.exec(text) ?? [];
  const [, variable] = BY_ENVIRONMENT.exec(parameter === undefined ? '' : (value(parameter) ?? '')) ?? [];
  if (variable !== undefined) return { env: variable };
  const missing = isComplete ? namesInTemplate(text).find((name) => value(name) === undefined) : undefined;
  if (missing === undefined) return fillTemplate(text, value);
  throw new HoldfastError('value-missing', `nothing is known of \${${missing}}, which the step needs`, {
    hint: 'The step that was to find it out was passed over, or failed. Give the step a condition (`when`), or have that step done.',
    context: { name: missing },
  });
}

const SECRET_NAME = /pass(word|wd|phrase)?$|secret|token|credential|api_?key|private_?key/i;

/** Why the value of a parameter must not be recorded; undefined where it may be. */
export function secrecyProblem(name: string, value: string): string | undefined {
  if (BY_ENVIRONMENT.test(value)) return undefined;
  if (SECRET_NAME.test(name)) return 'by its name it is a secret';
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/\s?#]*:[^/\s?#]*@/i.test(value)) return 'the URL has a password in it';
  return /(^|[\s?&;])(password|passwd|sslpassword|secret|token)=/i.test(value) ? 'it has a password in it' : undefined;
}
