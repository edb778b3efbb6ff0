/** Orders of steps that cannot be right, and steps that cannot work. Pure. */
import type { Finding } from '../problems.ts';
import { ancestors } from './graph.ts';
import { placeFindings, rotationFindings } from './rotation-checks.ts';
import type { PlannedStep, Runbook } from './runbook-schema.ts';
import { step as stepSchema } from './steps/index.ts';
import { namesInTemplate, textsIn } from './template.ts';
import { wayFindings } from './way-checks.ts';

/** What of a plan they are judged by. A name that it does not have is told where it stands. */
export interface OrderedPlan {
  runbooks: ReadonlyMap<string, Runbook>;
  sources: ReadonlyMap<string, { name: string; type: string }>;
  standbys: ReadonlyMap<string, { of: string }>;
  groups: ReadonlyMap<string, { sources: readonly string[] }>;
}

export function orderFindings(plan: OrderedPlan): Finding[] {
  return [...plan.runbooks.values()].flatMap((runbook) => [
    ...runbook.steps.flatMap((step, index) => [
      ...useFindings(runbook, step, index),
      ...kindFindings(plan, runbook, step, index),
      ...drillFindings(runbook, step, index),
    ]),
    ...rotationFindings(plan, runbook),
    ...fenceFindings(plan, runbook),
    ...triggerFindings(plan, runbook),
  ]);
}

function pathOf(runbook: Runbook, index: number): PropertyKey[] {
  return ['runbooks', runbook.name, 'steps', index];
}

function about(runbook: Runbook, index: number, key: readonly PropertyKey[], message: string): Finding {
  return { path: [...pathOf(runbook, index), ...key], at: key.length === 0 ? 'key' : 'value', message };
}

/** What a step uses must have ended before it begins: being written above it is not enough where steps run side by side. */
function useFindings(runbook: Runbook, { id, document }: PlannedStep, index: number): Finding[] {
  const before = ancestors(runbook.steps).get(id) ?? new Set();
  const ids = new Set(runbook.steps.map((each) => each.id));
  return textsIn(document).flatMap(({ path, text }) =>
    namesInTemplate(text).flatMap((name): Finding[] => {
      const [used = ''] = name.split('.', 1);
      if (!name.includes('.') || !ids.has(used) || before.has(used)) return [];
      const message = `uses what "${used}" finds out, which may not have ended by then; expected it among "needs"`;
      return [about(runbook, index, path, message)];
    }),
  );
}

/** Which types of sources a kind of step can work on. */
const SOURCE_TYPES: Readonly<Record<string, readonly string[]>> = {
  'postgres.fence': ['postgres'],
  'postgres.reseed': ['postgres'],
  'redis.promote': ['redis'],
  'redis.reseed': ['redis'],
  'credentials.rotate': ['postgres', 'redis'],
  isolate: ['postgres', 'redis'],
};

function kindFindings(plan: OrderedPlan, runbook: Runbook, { document }: PlannedStep, index: number): Finding[] {
  const types = SOURCE_TYPES[document.do];
  const source = 'source' in document && document.source !== undefined ? plan.sources.get(document.source) : undefined;
  const findings: Finding[] = [];
  if (types !== undefined && source !== undefined && !types.includes(source.type)) {
    const message = `"${source.name}" is of type ${source.type}; ${document.do} is for ${types.join(' and ')}`;
    findings.push(about(runbook, index, ['source'], message));
  }
  if (document.do === 'approve' && new Set(document.by).size < document.count) {
    const message = `${document.count} persons are to agree, and "by" names ${new Set(document.by).size}`;
    findings.push(about(runbook, index, ['count'], message));
  }
  if (document.do === 'dns.update') findings.push(...dnsFindings(runbook, document, index));
  if (document.do === 'credentials.rotate') findings.push(...placeFindings(pathOf(runbook, index), document));
  return findings;
}

function dnsFindings(
  runbook: Runbook,
  document: Extract<PlannedStep['document'], { do: 'dns.update' }>,
  index: number,
): Finding[] {
  const needed = document.provider === 'rfc2136' ? (['server'] as const) : (['project', 'zone'] as const);
  return needed
    .filter((key) => document[key] === undefined)
    .map((key) => about(runbook, index, ['provider'], `${document.provider} needs "${key}"`));
}

/** What a drill does instead is a step of the same kind as well. */
function drillFindings(runbook: Runbook, { document }: PlannedStep, index: number): Finding[] {
  const { drill, ...real } = document;
  if (drill === undefined || typeof drill === 'string') return [];
  const fixed = ['id', 'do', 'needs', 'drill'].filter((key) => Object.hasOwn(drill, key));
  if (fixed.length > 0)
    return [about(runbook, index, ['drill', fixed[0]!], 'is the same in a drill; expected other keys of the step')];
  const inDrill: Record<string, unknown> = { ...real, ...drill };
  const parsed = stepSchema.safeParse(inDrill);
  if (parsed.success) {
    const path = [...pathOf(runbook, index), 'drill'];
    return [
      ...wayFindings(document.do, path, (key) => inDrill[key] !== undefined),
      ...(parsed.data.do === 'credentials.rotate' ? placeFindings(path, parsed.data) : []),
    ];
  }
  return parsed.error.issues.map(({ path, code, ...issue }) => {
    const keys = code === 'unrecognized_keys' && 'keys' in issue ? issue.keys : [];
    const message =
      keys.length > 0 ? `a step of kind ${document.do} has no key "${keys[0]}"` : `expected ${issue.message}`;
    return about(runbook, index, ['drill', ...(keys.length > 0 ? [keys[0]!] : path)], message);
  });
}

/** Two primaries take writes that nothing can bring together again. */
function fenceFindings(plan: OrderedPlan, runbook: Runbook): Finding[] {
  return runbook.steps.flatMap(({ document }, index): Finding[] => {
    if (document.do !== 'postgres.fence') return [];
    const promoted = runbook.steps
      .slice(0, index)
      .find(
        ({ document: other }) =>
          other.do === 'postgres.promote' && plan.standbys.get(other.standby)?.of === document.source,
      );
    const isWayBack = runbook.steps.slice(0, index).some(({ document: other }) => other.do === 'postgres.reseed');
    if (promoted === undefined || isWayBack) return [];
    const message = `fences the old primary after "${promoted.id}" has made another one; expected it before`;
    return [about(runbook, index, ['do'], message)];
  });
}

/** What starts by itself must not be able to leave two primaries, nor wait for what only a person knows. */
function triggerFindings(plan: OrderedPlan, { name, trigger, steps, params, symptoms }: Runbook): Finding[] {
  if (trigger !== 'automatic') return [];
  const refuse = (message: string): Finding[] => [
    { path: ['runbooks', name, 'trigger'], at: 'value', found: trigger, message },
  ];
  if (symptoms.length === 0) return refuse('starts by its symptoms, and there are none; expected "symptoms"');
  const missing = params.find((each) => each.required && each.default === undefined);
  if (missing !== undefined)
    return refuse(`"${missing.name}" has to be given, by a person; expected a default, or manual`);
  const unfenced = steps.find(({ document }, index) => {
    if (document.do !== 'postgres.promote' && document.do !== 'redis.promote') return false;
    const source = document.do === 'postgres.promote' ? plan.standbys.get(document.standby)?.of : document.source;
    if (source === undefined) return false;
    return !steps
      .slice(0, index)
      .some(
        (each) => each.document.do === 'postgres.fence' && each.document.source === source && each.onFailure === 'stop',
      );
  });
  if (unfenced === undefined) return [];
  return refuse(
    `"${unfenced.id}" promotes with no fence before it that stops the runbook when it cannot be proven; expected manual`,
  );
}
