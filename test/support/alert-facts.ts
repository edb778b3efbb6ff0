/** What rules of alerts go by in tests, and what they find in it. */

import type { LedgerEvent } from '../../src/ledger/index.ts';
import { type Condition, conditionsOf } from '../../src/operations/alerts/condition.ts';
import type { Facts, RunFacts, SourceFacts } from '../../src/operations/alerts/facts/facts.ts';
import { exampleFacts, exampleSource } from '../../src/operations/alerts/rules/example.ts';
import { ALERT_RULES } from '../../src/operations/alerts/rules/index.ts';
import type { Rule, RuleName } from '../../src/plan/index.ts';
import { planWith } from './plan.ts';

export const NOW = Date.parse('2026-03-10T12:00:00Z');
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

export const plan = planWith({});
export const ruleOf = (name: RuleName): Rule => plan.alerts.rules.get(name)!;

export function found(name: RuleName, more: Partial<Facts>): Condition[] {
  return conditionsOf(ALERT_RULES[name], exampleFacts(plan, NOW, more), ruleOf(name));
}

export const messages = (name: RuleName, more: Partial<Facts>) => found(name, more).map(({ message }) => message);

export const at = (agoMs: number) => new Date(NOW - agoMs).toISOString();

export function source(
  more: Partial<Omit<SourceFacts, 'source'>> = {},
  planned: Partial<SourceFacts['source']> = {},
): SourceFacts {
  const facts = exampleSource(plan, more);
  return { ...facts, source: { ...facts.source, ...planned } as SourceFacts['source'] };
}

export function runs(task: string, more: Partial<RunFacts>): Pick<Facts, 'record'> {
  const { record } = exampleFacts(plan, NOW, {});
  return { record: { ...record, runs: new Map([[task, { task, ...more }]]) } };
}

export const byTime = (events: readonly LedgerEvent[]) => events.toSorted((a, b) => (a.time < b.time ? -1 : 1));
