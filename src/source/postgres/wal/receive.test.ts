import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../foundation/clock.ts';
import type { FollowContext, LogSink } from '../../index.ts';
import { LogReceiver } from './receive.ts';

const START = 0x300_0000n;
const FROM = { timeline: 1, lsn: START };

function receive(isStandby: boolean) {
  const covered: number[] = [];
  const sink = { take: () => undefined, covers: (ms: number) => void covered.push(ms) } as unknown as LogSink;
  const context = { clock: systemClock, observe: () => {} } as unknown as FollowContext;
  const receiver = new LogReceiver(FROM, sink, context, isStandby);
  const data = (start: bigint, length: number, serverMs: number) =>
    receiver.message({
      kind: 'data',
      start,
      serverLsn: start + BigInt(length),
      serverMs,
      bytes: Buffer.alloc(length),
    });
  const keepalive = (serverLsn: bigint, serverMs: number) =>
    receiver.message({ kind: 'keepalive', serverLsn, serverMs, wantsReply: false });
  return { receiver, covered, data, keepalive };
}

describe('the moment that a received log covers', () => {
  it("is the server's, when that has no more, and when it has had no more for a while", () => {
    const { covered, data, keepalive } = receive(false);
    data(START, 100, 1000);
    keepalive(START + 100n, 2000);
    expect(covered).toEqual([1000]);
    keepalive(START + 100n, 3000);
    expect(covered).toEqual([1000, 2000]);
  });

  it("is none of a standby's own, whose clock goes on while its primary is out of reach", () => {
    const { covered, data, keepalive } = receive(true);
    data(START, 100, 1000);
    keepalive(START + 100n, 2000);
    keepalive(START + 100n, 3000);
    expect(covered).toEqual([]);
  });

  it("is of a standby's primary, once the log has come to where that was, and never an older one", () => {
    const { receiver, covered, data } = receive(true);
    receiver.learn([
      { ms: 500, lsn: 0n },
      { ms: 900, lsn: START + 150n },
      { ms: 950, lsn: START + 250n },
    ]);
    expect(covered).toEqual([500]);
    data(START, 200, 5000);
    expect(covered).toEqual([500, 900]);
    receiver.learn([{ ms: 700, lsn: START }]);
    data(START + 200n, 50, 6000);
    expect(covered).toEqual([500, 900, 950]);
  });
});
