/** What is alarmed, where to, and who is told when nobody answers: `alerts` of a plan. */
import { z } from 'zod';
import { parseDuration } from '../../foundation/units.ts';
import { duration, identifier } from '../values.ts';
import { buildChannel, type ChannelPlan, channel } from './channel-schema.ts';
import { buildRules, RULE_NAMES, type Rule, type RuleName, rules, type Severity, severity } from './rule-schema.ts';

const route = z
  .strictObject(
    {
      to: identifier.meta({ description: 'The channel.' }),
      rules: z
        .array(z.enum(RULE_NAMES, { error: () => `one of ${RULE_NAMES.join(', ')}` }), {
          error: () => 'a list of rules',
        })
        .min(1, { error: () => 'at least one rule' })
        .meta({ description: 'Only alerts of these rules; all when left out.' })
        .optional(),
      severity: severity.optional(),
    },
    { error: () => 'a route such as { to: team, rules: [availability] }' },
  )
  .meta({ description: 'Alerts that a channel gets in any case, beside the ladder.' });

const rung = z
  .strictObject(
    {
      after: duration('How long after the alert.'),
      notify: z
        .array(identifier, { error: () => 'a list of contacts' })
        .min(1, { error: () => 'at least one contact' })
        .meta({ description: 'Who is told, by their names in `contacts`.' }),
      severity: severity.optional(),
      untilResolved: z
        .boolean({ error: () => 'true or false' })
        .default(false)
        .meta({ description: 'Also of an alert that somebody has acknowledged, as long as it is not resolved.' }),
    },
    { error: () => 'a rung such as { after: 30m, notify: [lead] }' },
  )
  .meta({ description: 'Who is told when an alert has stood for so long.' });

export const alerts = z
  .strictObject(
    {
      channels: z
        .record(identifier, channel, { error: () => 'channels by name' })
        .default({})
        .meta({ description: 'Where alerts go, by name.' }),
      routes: z
        .array(route, { error: () => 'a list of routes' })
        .default([])
        .meta({ description: 'What channels get in any case, beside the ladder.' }),
      escalation: z
        .array(rung, { error: () => 'a list of rungs' })
        .default([])
        .meta({ description: 'The ladder: an acknowledgement stops the rungs that are not `untilResolved`.' }),
      rules: rules.prefault({}),
    },
    { error: () => 'channels, routes, escalation and rules' },
  )
  .meta({ description: 'What is alarmed, where to, and who is told when nobody answers.' });

export interface Route {
  /** The name of a channel. */
  to: string;
  rules?: readonly RuleName[];
  severity?: Severity;
}

/** A rung of the ladder. */
export interface Rung {
  afterMs: number;
  /** Names of contacts. */
  notify: string[];
  severity?: Severity;
  untilResolved: boolean;
}

export interface Alerting {
  /** By name, in the order of the file. */
  channels: ReadonlyMap<string, ChannelPlan>;
  routes: Route[];
  /** By time. */
  escalation: Rung[];
  /** Those that are on. */
  rules: ReadonlyMap<RuleName, Rule>;
}

export function buildAlerting(document: z.output<typeof alerts>): Alerting {
  const { channels, routes, escalation } = document;
  return {
    channels: new Map(Object.entries(channels).map(([name, each]) => [name, buildChannel(name, each)])),
    routes: routes.map(({ to, rules: only, severity: of }) => ({
      to,
      ...(only && { rules: only }),
      ...(of && { severity: of }),
    })),
    escalation: escalation
      .map(({ after, notify, severity: of, untilResolved }) => ({
        ...{ afterMs: parseDuration(after)!, notify, untilResolved },
        ...(of && { severity: of }),
      }))
      .toSorted((one, other) => one.afterMs - other.afterMs),
    rules: buildRules(document.rules),
  };
}
