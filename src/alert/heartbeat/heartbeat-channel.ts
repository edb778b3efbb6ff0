import { HoldfastError } from '../../foundation/errors.ts';
import type { Channel } from '../channel.ts';
import { HttpPeer, type HttpPeerOptions } from '../http-peer.ts';

/**
 * A watch outside, which is asked with GET while all is well and alarms when it is not. It takes no messages.
 * @throws channel-failed for what is no URL of HTTP
 */
export function createHeartbeatChannel(
  options: Pick<HttpPeerOptions, 'name' | 'url' | 'clock' | 'timeoutMs'>,
): Channel & Required<Pick<Channel, 'beat'>> {
  const peer = new HttpPeer(options);
  return {
    takes: () => false,
    async send() {
      throw new HoldfastError('channel-failed', `channel ${options.name} is a heartbeat, which takes no messages`, {
        hint: 'Name another channel in the plan.',
        context: { channel: options.name },
      });
    },
    async beat(signal) {
      await peer.ask({ method: 'GET' }, signal);
    },
  };
}
