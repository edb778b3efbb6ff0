import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedRows } from './table-load.ts';

/** Each in memory of its own, as a reader gives them. */
async function* pieces(all: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of all) {
    const own = Buffer.allocUnsafeSlow(piece.length);
    own.write(piece, 'latin1');
    yield own;
  }
}

/** What each of several gets, who take their turns as the scheduler lets them. */
async function sharedBy(count: number, shared: SharedRows): Promise<string[]> {
  const take = async (): Promise<string> => {
    let text = '';
    for await (const bytes of shared.share()) {
      text += Buffer.from(bytes).toString('latin1');
      // As all of a piece's memory is given back: what others hold must not lie in it.
      new Uint8Array(bytes.buffer).fill(0);
    }
    return text;
  };
  return Promise.all(Array.from({ length: count }, take));
}

describe('rows that several connections load', () => {
  it('come whole, each to one of them, in the order they have, however they are read', async () => {
    const rows = fc.array(fc.stringMatching(/^[a-z\\\t]{0,12}$/), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.array(fc.nat(60)),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(20),
        async (given, lengths, count, runBytes) => {
          const text = given.map((row) => `${row}\n`).join('');
          const cuts = [...new Set(lengths.filter((at) => at < text.length))].sort((a, b) => a - b);
          const read = [0, ...cuts].map((from, index) => text.slice(from, cuts[index] ?? text.length));
          const parts = await sharedBy(count, new SharedRows(pieces(read), runBytes));
          for (const part of parts) expect(part === '' || part.endsWith('\n')).toBe(true);
          const split = (all: string) => all.split('\n').slice(0, -1);
          expect(parts.flatMap(split).sort()).toEqual(split(text).sort());
          if (count === 1) expect(parts).toEqual([text]);
        },
      ),
    );
  });

  it('fail for all of them where they cannot be read', async () => {
    async function* damaged(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('one\n');
      throw new Error('damaged');
    }
    const shared = new SharedRows(damaged(), 1);
    const results = await Promise.allSettled([sharedBy(1, shared), sharedBy(1, shared), sharedBy(1, shared)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });
});
