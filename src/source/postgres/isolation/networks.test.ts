import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasBlock, isCutShort, withBlock, withoutBlock } from './hba-block.ts';
import { complementOf, isWithin } from './networks.ts';

const address = fc.oneof(fc.ipV4(), fc.ipV6());
const network = address.chain((each) =>
  fc.nat(each.includes(':') ? 128 : 32).map((length) => (length === 0 ? each : `${each}/${length}`)),
);

describe('networks', () => {
  it('and all that is in none of them have each address once', () => {
    fc.assert(
      fc.property(
        fc.array(network, { maxLength: 4 }),
        fc.array(address, { minLength: 5, maxLength: 20 }),
        (given, tried) => {
          const others = complementOf(given);
          const edges = given.map((each) => each.split('/')[0]!);
          for (const each of [...tried, ...edges]) {
            const count = others.filter((other) => isWithin(each, [other])).length;
            expect([each, count]).toEqual([each, isWithin(each, given) ? 0 : 1]);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are the fewest that are left', () => {
    expect(complementOf([])).toEqual(['0.0.0.0/0', '::/0']);
    expect(complementOf(['128.0.0.0/1', '::/0'])).toEqual(['0.0.0.0/1']);
    expect(complementOf(['0.0.0.0/1', '128.0.0.0/1', '10.0.0.7', '::/1'])).toEqual(['8000::/1']);
    expect(complementOf(['127.0.0.1']).length).toBe(33);
    expect(isWithin('::ffff:10.0.0.1', ['10.0.0.0/8'])).toBe(false);
    for (const wrong of ['', '10.0.0', '10.0.0.0/33', '::/129', 'a.example', '1.2.3.4/5/6'])
      expect(() => complementOf([wrong])).toThrow(TypeError);
  });
});

describe('the lines that keep others out', () => {
  const lines = ['# mine', '', 'host all all all scram-sha-256'];

  it('stand before all others, once, and leave them as they were when they go', () => {
    const closed = withBlock(lines, ['10.0.0.0/8', 'local']);
    expect(closed.slice(-3)).toEqual(lines);
    expect(closed.filter((line) => line.startsWith('local'))).toEqual([]);
    const narrower = withBlock(closed, []);
    expect(narrower).toContain('host replication all 0.0.0.0/0 reject');
    expect(narrower).toContain('local all all reject');
    expect([hasBlock(lines), hasBlock(closed), hasBlock(narrower)]).toEqual([false, true, true]);
    for (const each of [lines, closed, narrower]) expect(withoutBlock(each)).toEqual(lines);
  });

  it('are known for what they are where they could not be written whole', () => {
    const closed = withBlock(lines, ['10.0.0.0/8']);
    for (let end = 0; end < closed.length - lines.length; end++) expect(isCutShort(closed.slice(0, end))).toBe(true);
    expect([isCutShort(['']), isCutShort(lines.slice(0, 2))]).toEqual([true, true]);
    expect([isCutShort(lines), isCutShort(closed), isCutShort(['@include others'])]).toEqual([false, false, false]);
  });
});
