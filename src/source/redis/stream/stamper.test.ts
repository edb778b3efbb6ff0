import { describe, expect, it } from 'vitest';
import type { Look } from './look.ts';
import { Stamper } from './stamper.ts';

/** The server's clock is an hour ahead of ours. */
const AHEAD_MS = 3_600_000;

function look(offset: bigint, ownMs: number, tripMs = 1): Look {
  const ids = { replicationId: 'a'.repeat(40), previous: undefined };
  return { ...ids, offset, ownMs, tripMs, serverMs: ownMs + AHEAD_MS, backlogBytes: 0, backlogLimitBytes: 0 };
}

const own = (stamps: { lsn: bigint; ms: number; isLate?: boolean }[]) =>
  stamps.map(({ ms, ...stamp }) => ({ ...stamp, ms: ms - AHEAD_MS }));

describe('what comes in a stream', () => {
  it('happened when it came, by the clock of the server', () => {
    const stamper = new Stamper(look(100n, 1000));
    expect(own(stamper.stamp([110n], 1010))).toEqual([{ lsn: 110n, ms: 1010 }]);
    expect(own(stamper.stamp([120n, 130n], 1020))).toEqual([{ lsn: 130n, ms: 1020 }]);
  });

  it('happened before a look at the server that had it, and behind one that had it not', () => {
    const stamper = new Stamper(look(100n, 1000));
    stamper.learn(look(120n, 1200));
    stamper.learn(look(140n, 1400));
    expect(own(stamper.stamp([110n, 120n, 130n, 140n, 150n], 9000))).toEqual([
      { lsn: 120n, ms: 1200 },
      { lsn: 140n, ms: 1400 },
      { lsn: 150n, ms: 9000 },
    ]);
    const early = new Stamper(look(100n, 1000));
    early.learn(look(100n, 1200));
    expect(own(early.stamp([110n], 1100))).toEqual([{ lsn: 110n, ms: 1200 }]);
  });

  it('is late, and told by its end alone, where it happened before anybody was there', () => {
    const stamper = new Stamper(look(130n, 1000));
    expect(own(stamper.stamp([110n, 120n], 1001))).toEqual([]);
    expect(own(stamper.stamp([130n, 140n], 1002))).toEqual([
      { lsn: 130n, ms: 1000, isLate: true },
      { lsn: 140n, ms: 1002 },
    ]);
  });

  it('never happened before what came before it, whatever the clocks do', () => {
    const stamper = new Stamper(look(100n, 1000));
    stamper.stamp([110n], 2000);
    expect(own(stamper.stamp([120n], 1500))).toEqual([{ lsn: 120n, ms: 2000 }]);
  });

  it('is all there until the last look that it has come to', () => {
    const stamper = new Stamper(look(100n, 1000));
    stamper.learn(look(120n, 1200));
    stamper.learn(look(120n, 1300));
    stamper.learn(look(120n, 1400));
    stamper.learn(look(140n, 1500));
    const coveredMs = (taken: bigint) => (stamper.coveredMs(taken) ?? Number.NaN) - AHEAD_MS;
    expect([99n, 119n, 120n, 139n, 140n].map(coveredMs)).toEqual([Number.NaN, 1000, 1400, 1400, 1500]);
  });
});
