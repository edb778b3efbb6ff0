/** What every Channel must do. An adapter's own test is a call of this with the other side that it is delivered to. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Channel } from '../../src/alert/index.ts';
import { isHoldfastError } from '../../src/foundation/errors.ts';
import { EVERY_KIND } from './alert-messages.ts';

/**
 * What the other side does instead of taking a message: says no for good; says that it is busy; breaks; answers nothing;
 * hangs up; says what makes no sense.
 */
export const FAULTS = ['refused', 'busy', 'broken', 'silent', 'closed', 'garbage'] as const;
export type Fault = (typeof FAULTS)[number];

/** A channel, and the other side of it. */
export interface ChannelPeer {
  channel: Channel;
  /** The same, which gives up after `PATIENCE_MS` when the other side is silent. */
  impatient: Channel;
  /** What no error may show. The other side quotes it where it says no. */
  secret: string;
  /** Sets what the other side does from here on. Undefined: it takes what comes. */
  behave(fault: Fault | undefined): void;
  /** How much came through. */
  received(): number;
  close?(): Promise<void>;
}

export const PATIENCE_MS = 250;

/** @param without faults that the other side cannot have */
export function describeChannel(
  name: string,
  open: () => Promise<ChannelPeer>,
  { without = [] }: { without?: readonly Fault[] } = {},
): void {
  describe(`${name} as a channel`, () => {
    let peer: ChannelPeer;
    beforeAll(async () => {
      peer = await open();
    });
    beforeEach(() => peer.behave(undefined));
    afterAll(() => peer.close?.());
    const news = EVERY_KIND[0]!;
    const tell = (channel: Channel = peer.channel, signal = new AbortController().signal): Promise<void> =>
      channel.beat === undefined ? channel.send(news, signal) : channel.beat(signal);

    it.each(EVERY_KIND)('delivers $kind, or says that it does not take it', async (message) => {
      const before = peer.received();
      if (peer.channel.takes(message.kind)) {
        await peer.channel.send(message, new AbortController().signal);
        expect(peer.received()).toBeGreaterThan(before);
      } else {
        const sent = peer.channel.send(message, new AbortController().signal);
        await expect(sent).rejects.toMatchObject({ code: 'channel-failed', retryable: false });
        expect(peer.received()).toBe(before);
      }
    });

    it.each(FAULTS.filter((fault) => !without.includes(fault)))(
      'fails when the other side is %s, says whether to try again, and shows no secret',
      async (fault) => {
        peer.behave(fault);
        const error = await tell(fault === 'silent' ? peer.impatient : peer.channel).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(isHoldfastError(error, 'channel-failed') && error.retryable).toBe(fault !== 'refused');
        expect(shownOf(error)).not.toContain(peer.secret);
        expect(shownOf(error)).not.toContain(Buffer.from(peer.secret).toString('base64'));
        peer.behave(undefined);
        await tell();
      },
    );

    it('ends with the reason of the signal, at once', async () => {
      const reason = new Error('enough');
      await expect(tell(peer.channel, AbortSignal.abort(reason))).rejects.toBe(reason);
      if (without.includes('silent')) return;
      peer.behave('silent');
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 20);
      await expect(tell(peer.channel, controller.signal)).rejects.toBe(reason);
    });
  });
}

/** All that anybody could print of an error. */
export function shownOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [error.message, error.stack, JSON.stringify(error), shownOf(error.cause)].join('\n');
}
