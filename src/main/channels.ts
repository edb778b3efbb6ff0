import { hostname } from 'node:os';
import type { Channel } from '../alert/index.ts';
import type { Clock } from '../foundation/clock.ts';
import { type ChannelPlan, type ReferenceContext, resolveReferences } from '../plan/index.ts';

/** A channel of the plan, its adapter loaded when it is first used. @throws secret-unavailable */
export async function createChannel(
  planned: ChannelPlan,
  { clock, ...references }: ReferenceContext & { clock: Clock },
): Promise<Channel> {
  const common = { name: planned.name, clock };
  switch (planned.type) {
    case 'pagerduty': {
      const { createPagerdutyChannel } = await import('../alert/pagerduty/index.ts');
      const { routingKey, url } = await resolveReferences(planned, references);
      return createPagerdutyChannel({ ...common, routingKey, ...(url !== undefined && { url }) });
    }
    case 'slack': {
      const { createSlackChannel } = await import('../alert/slack/index.ts');
      const { webhook } = await resolveReferences(planned, references);
      return createSlackChannel({ ...common, webhook });
    }
    case 'email': {
      const { createEmailChannel } = await import('../alert/email/index.ts');
      const { to, smtp, from = `Holdfast <holdfast@${hostname()}>` } = await resolveReferences(planned, references);
      return createEmailChannel({ name: planned.name, to, from, smtp });
    }
    case 'webhook': {
      const { createWebhookChannel } = await import('../alert/webhook/index.ts');
      const { url, secret } = await resolveReferences(planned, references);
      return createWebhookChannel({ ...common, url, ...(secret !== undefined && { secret }) });
    }
    case 'heartbeat': {
      const { createHeartbeatChannel } = await import('../alert/heartbeat/index.ts');
      const { url } = await resolveReferences(planned, references);
      return createHeartbeatChannel({ ...common, url });
    }
    case 'command': {
      const { createCommandChannel } = await import('../alert/command/index.ts');
      const { command } = await resolveReferences(planned, references);
      const { directory, env } = references;
      // A word that the plan refers to is nobody else's to see.
      const secrets = command.filter((_, index) => typeof planned.command[index] !== 'string');
      return createCommandChannel({ ...common, command, secrets, directory, path: env['PATH'] ?? '' });
    }
  }
}
