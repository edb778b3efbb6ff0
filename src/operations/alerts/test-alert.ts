import { randomBytes } from 'node:crypto';
import type { Alert, AlertMessage } from '../../alert/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Pause } from '../../foundation/pause.ts';
import type { Plan, RuleName } from '../../plan/index.ts';
import { type Delivered, notify } from '../notify/notify.ts';
import type { Workspace } from '../workspace.ts';
import { alertOf } from './alert-view.ts';
import type { BookedAlert } from './book.ts';
import { conditionsOf } from './condition.ts';
import { tellingsNow } from './escalation.ts';
import { ruleNamed } from './mute.ts';
import { appendToPlanLedger } from './plan-ledger.ts';
import { ALERT_RULES } from './rules/index.ts';
import { runbooksFor } from './runbooks.ts';

export interface TestedAlert {
  /** As it was sent. */
  alert: Alert;
  /** What each channel answered. */
  channels: {
    channel: string;
    reason: string;
    outcome: 'delivered' | 'failed';
    attempts: number;
    error?: HoldfastError;
  }[];
}

/**
 * Sends an alert of a rule that is marked as a test, as the rule says it of made-up facts, to all who would be told at once:
 * along the routes and to the first rung of the ladder; and then that it is over, so that nothing stays open elsewhere.
 * What the channels answer is recorded, and the alert is none of the book's.
 * @throws bad-usage for what is no rule, or one that the plan has turned off
 */
export async function testAlert(
  workspace: Workspace,
  { rule: given, pause }: { rule: string; pause: Pause },
): Promise<TestedAlert> {
  const { plan, environment } = workspace;
  const nowMs = environment.clock.nowMs();
  const booked = exampleAlert(plan, ruleNamed(given), nowMs);
  const tellings = tellingsNow(plan, { alerts: [booked], mutes: [] }, nowMs);
  const append = appendToPlanLedger(workspace);
  const record = { append: (kind: string, body: object) => append({ kind, body } as Parameters<typeof append>[0]) };
  const alert = alertOf(plan, booked);
  const send = (kind: AlertMessage['kind'], channels: readonly { channel: string; reason: string }[], of: Alert) =>
    notify(
      workspace,
      channels.map(({ channel, reason }) => ({
        ...{ channel, fallsBack: false },
        message: { kind, plan: plan.name, alerts: [of], reason },
      })),
      { pause, record },
    );
  const raised = await send('raised', tellings, alert);
  const took = raised.filter(({ outcome }) => outcome === 'delivered');
  const resolvedAt = new Date(environment.clock.nowMs()).toISOString();
  const over = took.map(({ channel }) => ({ channel, reason: 'test' }));
  const resolved = await send('resolved', over, { ...alert, state: 'resolved', resolvedAt });
  return {
    alert,
    channels: raised.map((each, index) => answered(each, tellings[index]!.reason, resolved)),
  };
}

/** A channel that does not take that it is over would leave it open. */
function answered(raised: Delivered, reason: string, resolved: readonly Delivered[]): TestedAlert['channels'][number] {
  const over = resolved.find(({ channel }) => channel === raised.channel);
  const { channel, outcome, attempts, error, unrecorded } = over?.outcome === 'failed' ? over : raised;
  const wrong = error ?? unrecorded;
  return { channel, reason, outcome, attempts, ...(wrong && { error: wrong }) };
}

function exampleAlert(plan: Plan, name: RuleName, nowMs: number): BookedAlert {
  const rule = plan.alerts.rules.get(name);
  if (rule === undefined) {
    throw new HoldfastError('bad-usage', `the plan has turned the rule ${name} off`, {
      hint: `Turn it on in the plan: \`alerts: { rules: { ${name}: true } }\`.`,
    });
  }
  const condition = conditionsOf(ALERT_RULES[name], ALERT_RULES[name].example(plan, rule, nowMs), rule)[0]!;
  return {
    ...condition,
    id: `test-${randomBytes(6).toString('hex')}`,
    message: `TEST, nothing is wrong: ${condition.message}`,
    runbooks: runbooksFor(plan, name),
    // The first rung is told at once, whenever its time would be.
    raisedMs: nowMs - (plan.alerts.escalation[0]?.afterMs ?? 0),
    ...{ flaps: false, changes: 0, told: new Map() },
  };
}
