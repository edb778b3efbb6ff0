import { describe, expect, it } from 'vitest';
import { HOUR_MS, MINUTE_MS, NOW, plan, ruleOf, source } from '../../../../test/support/alert-facts.ts';
import { COMMAND_NAMES } from '../../../cli/registry.ts';
import { RULE_NAMES } from '../../../plan/alerts/rule-schema.ts';
import { conditionsOf } from '../condition.ts';
import { exampleFacts, exampleRepository } from './example.ts';
import { ALERT_RULES, conditionsNow } from './index.ts';

describe('each rule', () => {
  it.each(RULE_NAMES)('%s says what happened, since when, what it endangers, and a command that there is', (name) => {
    const example = ALERT_RULES[name].example(plan, ruleOf(name), NOW);
    const [condition, ...others] = conditionsOf(ALERT_RULES[name], example, ruleOf(name));
    expect(others).toEqual([]);
    expect(condition).toMatchObject({ rule: name, severity: ruleOf(name).severity });
    for (const text of [condition!.subject, condition!.message, condition!.endangers]) expect(text).toMatch(/^\S.*\S$/);
    expect(condition!.message).not.toMatch(/undefined|NaN|Infinity/);
    expect(Date.parse(condition!.since)).toBeLessThanOrEqual(NOW);
    const words = condition!.command.split(' ').slice(1);
    expect(condition!.command).toMatch(/^holdfast /);
    expect(COMMAND_NAMES.some((name) => words.join(' ').startsWith(name))).toBe(true);
  });

  it('finds nothing where nothing is wrong, and nothing when it is turned off', () => {
    const proof = { timeMs: NOW, durationMs: 1, state: 'proven', snapshot: 's', reason: '' } as const;
    const backups = [{ timeMs: NOW - HOUR_MS, durationMs: MINUTE_MS, outcome: 'complete' as const }];
    const well = exampleFacts(plan, NOW, {
      sources: [source({ proof, backups })],
      repositories: [exampleRepository(plan)],
    });
    expect(conditionsNow(well)).toEqual([]);
    const { rules, ...alerts } = plan.alerts;
    const off = {
      ...plan,
      alerts: { ...alerts, rules: new Map([...rules].filter(([name]) => name !== 'stale-lock')) },
    };
    const locked = ALERT_RULES['stale-lock'].example(plan, ruleOf('stale-lock'), NOW);
    expect(conditionsNow(locked)).toHaveLength(1);
    expect(conditionsNow({ ...locked, plan: off })).toEqual([]);
  });

  it('has the severity that the plan gives it', () => {
    const example = ALERT_RULES['stale-lock'].example(plan, ruleOf('stale-lock'), NOW);
    const given = { ...ruleOf('stale-lock'), severity: 'p1' as const };
    expect(conditionsOf(ALERT_RULES['stale-lock'], example, given)).toMatchObject([{ severity: 'p1' }]);
  });
});
