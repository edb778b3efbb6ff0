import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCommand } from '../connection/resp.ts';
import { StreamSplitter } from './splitter.ts';

const command = (...words: string[]): Buffer => Buffer.from(encodeCommand(words));

/** Where the stream may be cut, whatever chunks it comes in. */
function endsOf(stream: Buffer, cuts: readonly number[] = []): number[] {
  const splitter = new StreamSplitter();
  const borders = [0, ...cuts.filter((cut) => cut < stream.length), stream.length].sort((a, b) => a - b);
  return borders.slice(1).flatMap((border, index) => {
    const from = borders[index]!;
    return splitter.push(stream.subarray(from, border)).map((end) => from + end);
  });
}

const words = fc.array(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 4 });
const plain = words.filter(([name]) => !/^(multi|exec|discard)$/i.test(name!));
const transaction = fc.array(plain, { maxLength: 4 }).map((inner) => [['MULTI'], ...inner, ['exec']]);

describe('a replication stream', () => {
  it('may be cut behind commands and transactions, and nowhere else, whatever chunks it comes in', () => {
    const units = fc.array(
      fc.oneof(
        plain.map((each) => [each]),
        transaction,
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(units, fc.array(fc.nat(400), { maxLength: 6 }), (each, cuts) => {
        const encoded = each.map((unit) => Buffer.concat(unit.map((one) => command(...one))));
        let end = 0;
        const ends = encoded.map((unit) => (end += unit.length));
        expect(endsOf(Buffer.concat(encoded), cuts)).toEqual(ends);
      }),
      { numRuns: 200 },
    );
  });

  it('has what looks like a command inside of an argument', () => {
    const stream = Buffer.concat([command('SET', 'k', '*1\r\n$4\r\nEXEC\r\n'), Buffer.from('\n'), command('PING')]);
    expect(endsOf(stream)).toEqual([stream.length - 15, stream.length - 14, stream.length]);
  });

  it('is not cut in a transaction that has begun', () => {
    const splitter = new StreamSplitter();
    expect(splitter.push(command('MULTI'))).toEqual([]);
    expect(splitter.push(command('INCR', 'a'))).toEqual([]);
    expect(splitter.isBetween).toBe(false);
    expect(splitter.push(command('EXEC'))).toHaveLength(1);
  });

  it.each([
    '+OK\r\n',
    'PING\r\n',
    '*-1\r\n',
    '*1\r\n:4\r\n',
    '*1\r\n$-1\r\n',
    '*1\n',
    '*\r\n',
    '*1\r\n$1\r\nabc',
    '*1111111111111111\r\n',
  ])('is none that has %j', (text) => {
    expect(() => endsOf(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'source-damaged' }));
  });
});
