import type { Message } from '../../alert/index.ts';
import { HoldfastError } from '../../foundation/errors.ts';
import { escapeHtml } from '../../foundation/html.ts';
import { pauseUntilAborted } from '../../foundation/pause.ts';
import { deliver } from '../../operations/index.ts';
import type { StepContext, StepKind } from '../step.ts';

type Notifying = StepContext<'notify'>;

/** Tells people over the channels of the plan. */
export const notify: StepKind<'notify'> = {
  describe: (context) => {
    const { step } = context;
    const { channels } = channelsOf(context);
    return {
      does: `tells ${step.to.join(', ')}${channels.length === 0 ? '' : ` over ${channels.join(', ')}`}: ${step.message}`,
      byHand: [`# Tell ${step.to.join(', ')}: ${step.message}`],
    };
  },
  foresee: async (context) => {
    const { channels, unreachable } = channelsOf(context);
    const problems = await Promise.all(channels.map((channel) => problemWith(context, channel)));
    return { ...notify.describe(context), obstacles: [...unreachable, ...problems.flat()] };
  },
  run: async (context) => {
    const { channels, unreachable } = channelsOf(context);
    const told = await Promise.all(channels.map((channel) => tellChannel(context, channel)));
    const failed = [
      ...unreachable,
      ...told.flatMap(({ error, channel }) => (error === undefined ? [] : [`${channel}: ${error.message}`])),
    ];
    const reached = told.flatMap(({ error, channel }) => (error === undefined ? [channel] : []));
    if (reached.length === 0) {
      throw new HoldfastError('channel-failed', `nobody could be told: ${failed.join('; ')}`, {
        hint: 'Tell them by hand, and see `holdfast doctor` for the channels.',
      });
    }
    const summary = `told ${reached.join(', ')}: ${context.step.message}`;
    if (failed.length === 0) return { outcome: 'done', summary, outputs: {} };
    return { outcome: 'partial', summary: `${summary}; not told: ${failed.join('; ')}`, outputs: {} };
  },
  inDrill: 'skip',
};

/** A name may be a channel, or a contact that has one. */
function channelsOf({ step, workspace: { plan } }: Notifying): { channels: string[]; unreachable: string[] } {
  const found = step.to.map((name) => ({
    name,
    channel: plan.alerts.channels.has(name) ? name : plan.contacts.get(name)?.channel,
  }));
  return {
    channels: [...new Set(found.flatMap(({ channel }) => channel ?? []))],
    unreachable: found.flatMap(({ name, channel }) => (channel === undefined ? [`${name} has no channel`] : [])),
  };
}

async function problemWith({ workspace }: Notifying, name: string): Promise<string[]> {
  try {
    await workspace.createChannel(name);
    return [];
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return [`${name}: ${error.message}`];
  }
}

async function tellChannel(context: Notifying, name: string): Promise<{ channel: string; error?: HoldfastError }> {
  const { workspace, signal } = context;
  const open = () => workspace.createChannel(name);
  const takesReports = await open()
    .then((channel) => channel.takes('report'))
    .catch(() => true);
  const message = takesReports ? asReport(context) : asAlert(context);
  const { error } = await deliver(open, message, { pause: pauseUntilAborted(signal), signal });
  return { channel: name, ...(error && { error }) };
}

function asReport({ step, workspace, run }: Notifying): Message {
  const { message: text } = step;
  const title = `${workspace.plan.name}: ${run.runbook} (${run.kind} ${run.id})`;
  return { kind: 'report', plan: workspace.plan.name, title, text, markdown: text, html: `<p>${escapeHtml(text)}</p>` };
}

/** For what takes nothing but alerts, as pagers: something people use is down. */
function asAlert({ step, workspace, run, clock }: Notifying): Message {
  const nowAt = new Date(clock.nowMs()).toISOString();
  return {
    ...{ kind: 'raised', plan: workspace.plan.name, reason: `${run.kind} ${run.id}` },
    alerts: [
      {
        ...{ id: `${run.id}-${step.id}`, rule: 'availability', subject: run.runbook, severity: step.severity ?? 'p1' },
        ...{ state: 'open', message: step.message, since: new Date(run.sinceMs).toISOString(), raisedAt: nowAt },
        ...{ endangers: `see the ${run.kind} ${run.id}`, command: `holdfast incident show ${run.id}` },
        ...{ runbooks: [run.runbook], contacts: [] },
      },
    ],
  };
}
