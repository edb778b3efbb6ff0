import type { Plan, Rule, RuleName, Severity } from '../../plan/index.ts';
import type { Facts } from './facts/facts.ts';

/** Something that is wrong just now, as one rule sees it. */
export interface Condition {
  rule: RuleName;
  /** What it is about. A rule gives at most one of each subject. */
  subject: string;
  severity: Severity;
  /** What happened: one sentence. It stays the same while nothing changes: it names times, and no ages. */
  message: string;
  /** RFC 3339. */
  since: string;
  /** What it endangers, in words. */
  endangers: string;
  /** The command that mends it, or shows what is wrong. */
  command: string;
}

/** What a rule finds of a subject; the rest is the same for all that it finds. */
export type Found = Pick<Condition, 'subject' | 'message' | 'endangers' | 'command'> & {
  sinceMs: number;
  severity?: Severity;
};

/** One rule: pure. */
export interface AlertRule {
  find(facts: Facts, rule: Rule): Found[];
  /** Facts of which it finds something, in the names of a plan: for a test alert. */
  example(plan: Plan, rule: Rule, nowMs: number): Facts;
  /** What it goes by: unknown where that could not be had. */
  basis: 'sources' | 'repositories' | 'record' | 'watch';
}

/** All that a rule finds, as conditions. */
export function conditionsOf({ find }: AlertRule, facts: Facts, rule: Rule): Condition[] {
  return find(facts, rule).map(({ sinceMs, severity, ...found }) => ({
    rule: rule.name,
    severity: severity ?? rule.severity,
    since: new Date(Math.min(sinceMs, facts.nowMs)).toISOString(),
    ...found,
  }));
}
