import { HoldfastError } from '../../foundation/errors.ts';
import type { Channel } from '../channel.ts';
import { type HttpAnswer, HttpPeer, type HttpPeerOptions } from '../http-peer.ts';
import { eventsOf, type PagerdutyEvent } from './events.ts';

export interface PagerdutyOptions extends Pick<HttpPeerOptions, 'name' | 'clock' | 'timeoutMs'> {
  routingKey: string;
  /** Where events are sent; PagerDuty's own address when left out. */
  url?: string;
}

const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue';

/**
 * PagerDuty by its Events API v2: an event for each alert, with a key of deduplication, so that what is sent twice is one
 * incident.
 * @throws channel-failed for what is no URL of HTTP
 */
export function createPagerdutyChannel({ routingKey, url = PAGERDUTY_URL, ...options }: PagerdutyOptions): Channel {
  const peer = new HttpPeer({ ...options, url, secrets: [routingKey] });
  return {
    takes: (kind) => kind !== 'report',
    async send(message, signal) {
      if (message.kind === 'report') {
        throw new HoldfastError('channel-failed', `channel ${options.name} is PagerDuty, which takes no reports`, {
          hint: 'Deliver the report to another channel.',
          context: { channel: options.name },
        });
      }
      for (const event of eventsOf(message)) await enqueue(peer, { routing_key: routingKey, ...event }, signal);
    },
  };
}

async function enqueue(
  peer: HttpPeer,
  event: PagerdutyEvent & { routing_key: string },
  signal: AbortSignal,
): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await peer.ask({ method: 'POST', headers, body: JSON.stringify(event) }, signal);
  if (!isAccepted(answer)) throw peer.contradicted(answer);
}

/** 202 is PagerDuty's; whatever stands in for it says `success`. */
function isAccepted({ status, text }: HttpAnswer): boolean {
  return status === 202 || /"status"\s*:\s*"success"/.test(text);
}
