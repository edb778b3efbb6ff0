import { HoldfastError } from '../../foundation/errors.ts';
import { RULE_NAMES, type RuleName } from '../../plan/index.ts';
import type { Workspace } from '../workspace.ts';
import { appendToPlanLedger } from './plan-ledger.ts';

/** The last moment that a date can have. */
const LAST_MS = 8.64e15;

export interface MuteRequest {
  rule: string;
  /** All that the rule finds when left out. */
  subject?: string;
  forMs: number;
  why: string;
  /** Who asks; whoever runs this when left out. */
  by?: string;
}

/**
 * Records that nobody is to be told of what a rule finds for a time. It is seen and listed all the same. A later one of the
 * same rule and subject takes its place: none at all with `forMs: 0`.
 * @returns until when (RFC 3339)
 * @throws bad-usage for what is no rule
 */
export async function muteAlerts(
  workspace: Workspace,
  { rule, subject, forMs, why, by }: MuteRequest,
): Promise<{ rule: RuleName; subject?: string; until: string; why: string }> {
  const untilMs = workspace.environment.clock.nowMs() + forMs;
  if (untilMs > LAST_MS) {
    throw new HoldfastError('bad-usage', 'an alert cannot be muted for so long', {
      hint: 'Write a duration such as 2h.',
    });
  }
  const until = new Date(untilMs).toISOString();
  const body = { rule: ruleNamed(rule), ...(subject !== undefined && { subject }), until, why };
  await appendToPlanLedger(workspace)({ kind: 'alert.muted', body: { ...body, ...(by !== undefined && { by }) } });
  return body;
}

/** @throws bad-usage */
export function ruleNamed(name: string): RuleName {
  const rule = RULE_NAMES.find((each) => each === name);
  if (rule !== undefined) return rule;
  throw new HoldfastError('bad-usage', `there is no rule ${JSON.stringify(name)}`, {
    hint: `The rules are: ${RULE_NAMES.join(', ')}.`,
  });
}
