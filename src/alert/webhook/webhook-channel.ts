import { createHmac } from 'node:crypto';
import type { Channel } from '../channel.ts';
import { HttpPeer, type HttpPeerOptions } from '../http-peer.ts';
import { messageId, notificationOf } from '../notification.ts';

export interface WebhookOptions extends Pick<HttpPeerOptions, 'name' | 'url' | 'clock' | 'timeoutMs'> {
  /** What requests are signed with: `whsec_` and base64, or any text. They are not signed without. */
  secret?: string;
}

const BASE64_SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;

/**
 * Posts each notification as JSON, signed as the Standard Webhooks specification says (standardwebhooks.com, version 1): the
 * receiver computes the same HMAC over id, time and body, and refuses what is old.
 * @throws channel-failed for what is no URL of HTTP
 */
export function createWebhookChannel({ secret, ...options }: WebhookOptions): Channel {
  const { clock } = options;
  const peer = new HttpPeer({ ...options, secrets: secret === undefined ? [] : [secret] });
  return {
    takes: () => true,
    async send(message, signal) {
      const body = JSON.stringify(notificationOf(message, clock.nowMs()));
      const id = messageId(message);
      const timestamp = Math.floor(clock.nowMs() / 1000).toString();
      const signature = secret && { 'webhook-signature': sign(secret, `${id}.${timestamp}.${body}`) };
      const headers = { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp };
      await peer.ask({ method: 'POST', headers: { ...headers, ...(signature || {}) }, body }, signal);
    },
  };
}

function sign(secret: string, signed: string): string {
  const encoded = BASE64_SECRET.exec(secret)?.[1];
  const key = encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, 'base64');
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
}
