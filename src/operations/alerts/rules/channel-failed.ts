import type { AlertRule } from '../condition.ts';
import { exampleFacts } from './example.ts';

/** A channel did not take what was sent to it last. */
export const channelFailed: AlertRule = {
  basis: 'record',
  find: ({ plan, record }) =>
    record.failedChannels
      .filter(({ channel }) => plan.alerts.channels.has(channel))
      .map(({ channel, sinceMs, message }) => ({
        subject: channel,
        message: `the channel ${channel} does not deliver: ${message}`,
        sinceMs,
        endangers: 'that anybody learns of what goes wrong: who is reached through it alone hears nothing',
        command: 'holdfast doctor',
      })),
  example(plan, _rule, nowMs) {
    const channel = [...plan.alerts.channels.keys()][0] ?? 'example';
    const channels = new Map(plan.alerts.channels).set(channel, { name: channel, type: 'command', command: ['true'] });
    const example = exampleFacts({ ...plan, alerts: { ...plan.alerts, channels } }, nowMs, {});
    const failedChannels = [{ channel, sinceMs: nowMs, message: 'it answered 500' }];
    return { ...example, record: { ...example.record, failedChannels } };
  },
};
