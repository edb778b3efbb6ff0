import type { Channel } from '../channel.ts';
import { type HttpAnswer, HttpPeer, type HttpPeerOptions } from '../http-peer.ts';
import { slackMessageOf } from './slack-message.ts';

export interface SlackOptions extends Pick<HttpPeerOptions, 'name' | 'clock' | 'timeoutMs'> {
  /** The URL of an incoming webhook: whoever has it can write there. */
  webhook: string;
}

/** A channel of Slack, by an incoming webhook. @throws channel-failed for what is no URL of HTTP */
export function createSlackChannel({ webhook, ...options }: SlackOptions): Channel {
  const peer = new HttpPeer({ ...options, url: webhook });
  return {
    takes: () => true,
    async send(message, signal) {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify(slackMessageOf(message));
      const answer = await peer.ask({ method: 'POST', headers, body }, signal);
      if (!isTaken(answer)) throw peer.contradicted(answer);
    },
  };
}

/** Slack says `ok`, others that take its messages nothing; a page to log in says much. */
function isTaken({ text }: HttpAnswer): boolean {
  return ['', 'ok'].includes(text.trim().toLowerCase());
}
