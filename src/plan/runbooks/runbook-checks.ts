/** What no single key of a runbook can tell: that names exist, and that nothing refers forward. Pure. */
import type { Finding } from '../problems.ts';
import { parseCondition } from './condition.ts';
import { STEP_KINDS, type StepKindName } from './steps/index.ts';
import { hasOutput, INCIDENT_OUTPUTS } from './steps/outputs.ts';
import { namesInTemplate, textsIn } from './template.ts';
import { wayFindings } from './way-checks.ts';

interface Context {
  /** What stands at a path. */
  at(...path: PropertyKey[]): unknown;
  /** What stands at a path, unless something in it is wrong. */
  sound(...path: PropertyKey[]): unknown;
  sources: string[];
  /** Tells of a name that nothing defines, with the nearest that is. */
  unknown(what: string, path: PropertyKey[], given: string, known: string[]): Finding;
}

export function runbookFindings(context: Context): Finding[] {
  const runbooks = namesAt(context, 'runbooks');
  return [
    ...runbooks.flatMap((name) => stepsFindings(context, name)),
    ...runbooks.flatMap((name) => faultFindings(context, name)),
    ...listAt(context.at('drills')).flatMap((_, index) =>
      listed(context, 'runbook', ['drills', index, 'runbooks'], runbooks),
    ),
  ];
}

const SERVERS: readonly unknown[] = ['postgres', 'redis'];

/** What a drill kills, or cuts off, is the server of a source. */
function faultFindings(context: Context, runbook: string): Finding[] {
  const known = namesAt(context, 'sources').filter((name) => SERVERS.includes(context.at('sources', name, 'type')));
  const keys = ['kill', 'cutOff'];
  return keys.flatMap((key) => listed(context, 'source with a server', ['runbooks', runbook, 'drill', key], known));
}

interface EarlierStep {
  id: string;
  kind: StepKindName;
}

function stepsFindings(context: Context, runbook: string): Finding[] {
  const earlier: EarlierStep[] = [];
  return listAt(context.at('runbooks', runbook, 'steps')).flatMap((_, index) => {
    const path = ['runbooks', runbook, 'steps', index];
    const [id, kind] = [context.at(...path, 'id'), context.at(...path, 'do')];
    const findings = [
      ...idFindings(context, path, earlier),
      ...needsFindings(context, path, earlier),
      ...nameFindings(context, path),
      ...textFindings(context, runbook, path, earlier),
      ...conditionFindings(context, path),
      ...maintenanceFindings(context, path),
      ...(isKind(kind) ? wayFindings(kind, path, (key) => context.at(...path, key) !== undefined) : []),
    ];
    if (typeof id === 'string' && isKind(kind)) earlier.push({ id, kind });
    return findings;
  });
}

const RESERVED: readonly string[] = ['incident', 'sandbox'];

function idFindings({ sound, at }: Context, path: PropertyKey[], earlier: readonly EarlierStep[]): Finding[] {
  const id = sound(...path, 'id');
  if (typeof id !== 'string') return [];
  const of = { path: [...path, 'id'], at: 'value' as const, found: id };
  if (earlier.some((each) => each.id === id)) return [{ ...of, message: `"${id}" is already the id of a step` }];
  const params = at(...path.slice(0, 2), 'params');
  const isTaken = RESERVED.includes(id) || (typeof params === 'object' && params !== null && Object.hasOwn(params, id));
  return isTaken ? [{ ...of, message: `"${id}" already stands for something else; expected another id` }] : [];
}

function needsFindings(context: Context, path: PropertyKey[], earlier: readonly EarlierStep[]): Finding[] {
  const ids = earlier.map(({ id }) => id);
  const all = listAt(context.at(...path.slice(0, -1))).map((_, index) => context.at(...path.slice(0, -1), index, 'id'));
  return listAt(context.sound(...path, 'needs')).flatMap((given, index): Finding[] => {
    if (typeof given !== 'string' || ids.includes(given)) return [];
    const place = [...path, 'needs', index];
    if (!all.includes(given)) return [context.unknown('step', place, given, ids)];
    return [
      {
        path: place,
        at: 'value',
        found: given,
        message: `"${given}" is not an earlier step; steps need only those before them`,
      },
    ];
  });
}

/** Where a step names something of the plan: by its key, what is meant, and where that is defined. */
const NAMED: readonly { kind?: StepKindName; key: string; what: string; defined: string }[] = [
  { key: 'source', what: 'source', defined: 'sources' },
  { key: 'sources', what: 'source', defined: 'sources' },
  { key: 'group', what: 'group', defined: 'groups' },
  { key: 'standby', what: 'standby', defined: 'standbys' },
  { key: 'service', what: 'service', defined: 'services' },
  { key: 'services', what: 'service', defined: 'services' },
  { key: 'by', what: 'contact', defined: 'contacts' },
  { key: 'assignee', what: 'contact', defined: 'contacts' },
  { key: 'attendees', what: 'contact', defined: 'contacts' },
  { key: 'repository', what: 'repository', defined: 'repositories' },
];

function nameFindings(context: Context, path: PropertyKey[]): Finding[] {
  const findings = NAMED.flatMap(({ key, what, defined }) => {
    const known = namesAt(context, defined);
    const given = context.sound(...path, key);
    if (Array.isArray(given)) return listed(context, what, [...path, key], known);
    if (typeof given !== 'string' || known.includes(given)) return [];
    return [context.unknown(what, [...path, key], given, known)];
  });
  if (context.at(...path, 'do') !== 'notify') return findings;
  const reachable = [...namesAt(context, 'alerts', 'channels'), ...namesAt(context, 'contacts')];
  return [...findings, ...listed(context, 'channel or contact', [...path, 'to'], reachable)];
}

/** Every `${name}` in a step is something that is known by then. */
function textFindings(
  { at, sound }: Context,
  runbook: string,
  path: PropertyKey[],
  earlier: readonly EarlierStep[],
): Finding[] {
  const written = at(...path);
  const params = at('runbooks', runbook, 'params');
  const isParameter = (name: string) => typeof params === 'object' && params !== null && Object.hasOwn(params, name);
  return textsIn(written).flatMap(({ path: place, text }): Finding[] => {
    const whole = [...path, ...place];
    if (sound(...whole) === undefined) return [];
    return namesInTemplate(text).flatMap((name): Finding[] => {
      if (isParameter(name)) return [];
      const problem = placeProblem(name, earlier);
      return problem === undefined ? [] : [{ path: whole, at: 'value', found: name, message: problem }];
    });
  });
}

function placeProblem(name: string, earlier: readonly EarlierStep[]): string | undefined {
  const dot = name.indexOf('.');
  const [id, output] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
  if (id === 'incident' || id === 'sandbox') {
    if (id === 'sandbox' || INCIDENT_OUTPUTS.includes(output)) return undefined;
    return `an incident has no "${output}"; expected one of ${INCIDENT_OUTPUTS.join(', ')}`;
  }
  const step = earlier.find((each) => each.id === id);
  if (step === undefined) return `"\${${name}}" is neither a parameter nor something that an earlier step finds out`;
  if (hasOutput(step.kind, output)) return undefined;
  return `the step "${id}" (${step.kind}) finds out no "${output}"`;
}

function conditionFindings({ sound }: Context, path: PropertyKey[]): Finding[] {
  const when = sound(...path, 'when');
  if (typeof when !== 'string') return [];
  const parsed = parseCondition(when);
  if (!('problem' in parsed)) return [];
  return [
    {
      path: [...path, 'when'],
      at: 'value',
      message: `${parsed.problem}; expected a comparison such as \${check.state} == failed`,
    },
  ];
}

function maintenanceFindings({ at }: Context, path: PropertyKey[]): Finding[] {
  const kind = at(...path, 'do');
  if (typeof kind !== 'string' || !kind.startsWith('maintenance.') || at('maintenance') !== undefined) return [];
  return [
    {
      path: [...path, 'do'],
      at: 'value',
      found: kind,
      message: 'the plan says nowhere how; expected `maintenance` with `on` and `off`',
    },
  ];
}

function listed({ sound, unknown }: Context, what: string, path: PropertyKey[], known: string[]): Finding[] {
  return listAt(sound(...path)).flatMap((given, index) =>
    typeof given === 'string' && !known.includes(given) ? [unknown(what, [...path, index], given, known)] : [],
  );
}

function namesAt({ at }: Context, ...path: PropertyKey[]): string[] {
  const value = at(...path);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

function listAt(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isKind(value: unknown): value is StepKindName {
  return typeof value === 'string' && (STEP_KINDS as readonly string[]).includes(value);
}
