/** What is alarmed: `alerts.rules` of a plan, each with its default. */
import { z } from 'zod';
import { parseDuration, parsePercentage } from '../../foundation/units.ts';
import { duration, percentage } from '../values.ts';

export const SEVERITIES = ['p1', 'p2', 'p3'] as const;
/** p1: data lost or about to be, or a service down. p2: a promise is missed. p3: it will be, if nothing is done. */
export type Severity = (typeof SEVERITIES)[number];

export const severity = z
  .enum(SEVERITIES, { error: () => `one of ${SEVERITIES.join(', ')}` })
  .meta({ description: 'p1: data lost or about to be, or a service down. p2: a promise is missed. p3: it will be.' });

type Threshold = 'over' | 'within' | 'after' | 'for';
type Unit = 'duration' | 'share';

interface RuleDefinition {
  description: string;
  severity: Severity;
  /** Numbers of the rule that a plan may change, with their defaults. */
  thresholds?: Partial<Record<Threshold, { unit: Unit; value: string; description: string }>>;
}

const over = (value: string, unit: Unit, description: string) => ({ over: { unit, value, description } });
const after = (value: string, description: string) => ({ after: { unit: 'duration' as const, value, description } });

/** Every rule there is. All are on unless the plan turns them off. */
export const RULES = {
  'backup-failed': { description: 'A backup failed, or is partial.', severity: 'p2' },
  'backup-missed': { description: 'A backup that was due did not run.', severity: 'p2' },
  'rpo-breach': { description: 'The newest recovery point is older than the objective allows.', severity: 'p1' },
  'proof-overdue': {
    description: 'The newest proven recovery point is older than the objective allows.',
    severity: 'p2',
  },
  'rto-forecast': {
    description: 'A recovery takes longer than the objective allows, or will at this growth.',
    severity: 'p3',
    thresholds: { within: { unit: 'duration', value: '30d', description: 'How soon the objective would be missed.' } },
  },
  'size-drop': {
    description: 'A source, or a table or collection of it, is smaller than it was; or gone.',
    severity: 'p1',
    thresholds: over('20%', 'share', 'By how much, against the median of the last seven backups.'),
  },
  duration: {
    description: 'A backup, a restore or a proof takes too long.',
    severity: 'p3',
    thresholds: over('2h', 'duration', 'For how long it may run.'),
  },
  'change-anomaly': {
    description: 'New data, or how well it is compressed, is far from its usual range.',
    severity: 'p2',
  },
  'verification-failed': { description: 'A recovery point did not come back as it should.', severity: 'p1' },
  'drill-overdue': { description: 'A drill that was due was not held.', severity: 'p3' },
  'kit-overdue': {
    description: 'The recovery kit is outdated, or was neither made nor checked for long.',
    severity: 'p3',
    thresholds: after('90d', 'For how long.'),
  },
  'review-overdue': { description: 'A review that was due is not recorded.', severity: 'p3' },
  capacity: { description: 'A repository takes more than its share of the place it has.', severity: 'p2' },
  'replication-lag': {
    description: 'A standby or a mirror is behind.',
    severity: 'p2',
    thresholds: over('5m', 'duration', 'How far it may be behind.'),
  },
  latency: {
    description: 'A service answers slowly: the 95th percentile over five minutes.',
    severity: 'p2',
    thresholds: over('500ms', 'duration', 'How long an answer may take.'),
  },
  'error-rate': {
    description: 'A service answers with errors.',
    severity: 'p2',
    thresholds: {
      over: { unit: 'share', value: '1%', description: 'The share of requests that may fail.' },
      for: { unit: 'duration', value: '5m', description: 'For how long.' },
    },
  },
  availability: { description: 'A service is down.', severity: 'p1' },
  'log-stalled': {
    description: 'The log of a source is not captured any more.',
    severity: 'p1',
    thresholds: after('5m', 'For how long nothing came.'),
  },
  'stale-lock': {
    description: 'A lock of a repository is held, and nobody works there.',
    severity: 'p3',
    thresholds: after('24h', 'For how long.'),
  },
  'repository-unreachable': {
    description: 'A repository or a mirror cannot be reached, or is damaged.',
    severity: 'p2',
    thresholds: after('5m', 'For how long.'),
  },
  'channel-failed': { description: 'A channel does not deliver alerts.', severity: 'p2' },
  'step-late': {
    description: 'A step of a recovery takes longer than its share of the budget.',
    severity: 'p1',
  },
  'incident-stalled': {
    description: 'An incident is open, and no process runs its steps.',
    severity: 'p1',
    thresholds: after('5m', 'For how long.'),
  },
  'breach-report': {
    description:
      'A breach of personal data was declared, and is not reported to the authority within 72 hours: p1 from 48 hours on.',
    severity: 'p2',
  },
  'upkeep-failed': {
    description: 'Something else that the plan has done by itself failed: retention, a prune, a check, a report.',
    severity: 'p3',
  },
} as const satisfies Record<string, RuleDefinition>;

export type RuleName = keyof typeof RULES;
export const RULE_NAMES = Object.keys(RULES) as RuleName[];

function ruleSchema(definition: RuleDefinition) {
  const thresholds = Object.entries(definition.thresholds ?? {}).map(([key, { unit, value, description }]) => {
    const schema = unit === 'duration' ? duration(description) : percentage(description);
    return [key, schema.default(value)] as const;
  });
  const options = z.strictObject({
    severity: severity.default(definition.severity),
    ...Object.fromEntries(thresholds),
  });
  const example = Object.entries(definition.thresholds ?? {}).map(([key, { value }]) => `${key}: ${value}`);
  const expected = `true, false, or options such as { ${[...example, `severity: ${definition.severity}`].join(', ')} }`;
  return z
    .union([z.boolean(), options], { error: () => expected })
    .default(true)
    .meta({ description: definition.description });
}

export const rules = z
  .strictObject(
    Object.fromEntries(RULE_NAMES.map((name) => [name, ruleSchema(RULES[name])])) as Record<
      RuleName,
      ReturnType<typeof ruleSchema>
    >,
    { error: () => 'rules by name, such as { size-drop: { over: 30% }, drill-overdue: false }' },
  )
  .meta({ description: 'What is alarmed. Every rule is on, with its default, unless it is named here.' });

/** A rule that is on. Thresholds in milliseconds, or as a share from 0 to 1; those that it has not are absent. */
export interface Rule {
  name: RuleName;
  severity: Severity;
  overMs?: number;
  overShare?: number;
  withinMs?: number;
  afterMs?: number;
  forMs?: number;
}

/** The rules that are on, by name. */
export function buildRules(document: z.output<typeof rules>): ReadonlyMap<RuleName, Rule> {
  return new Map(
    RULE_NAMES.flatMap((name) => {
      const given = document[name];
      return given === false ? [] : [[name, buildRule(name, given === true ? {} : given)] as const];
    }),
  );
}

function buildRule(name: RuleName, given: Readonly<Record<string, string>>): Rule {
  const definition: RuleDefinition = RULES[name];
  const values = Object.entries(definition.thresholds ?? {}).map(([key, { unit, value }]) => {
    const text = given[key] ?? value;
    return unit === 'duration' ? [`${key}Ms`, parseDuration(text)!] : [`${key}Share`, parsePercentage(text)!];
  });
  const chosen = (given['severity'] as Severity | undefined) ?? definition.severity;
  return { name, severity: chosen, ...Object.fromEntries(values) };
}
