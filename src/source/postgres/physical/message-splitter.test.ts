import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageSplitter } from './message-splitter.ts';

function message(type: string, body: string): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(type, 0);
  bytes.writeUInt32BE(4 + body.length, 1);
  bytes.write(body, 5);
  return bytes;
}

/** The bodies of data, whole messages and the rest, put together from the pieces of these chunks. */
function split(chunks: Buffer[]): string[] {
  const splitter = new MessageSplitter();
  const found: string[] = [];
  let isOpen = false;
  for (const [index, chunk] of chunks.entries()) {
    for (const piece of splitter.split(chunk)) {
      if (piece.kind === 'rest') {
        return [...found, `rest ${Buffer.concat([piece.bytes, ...chunks.slice(index + 1)]).toString()}`];
      }
      if (piece.kind === 'message') found.push(`message ${piece.bytes.toString()}`);
      else {
        expect(piece.isStart).toBe(!isOpen);
        if (piece.isStart) found.push('data ');
        found[found.length - 1] += piece.bytes.toString();
        isOpen = !piece.isEnd;
      }
    }
  }
  return found;
}

describe('a splitter of messages', () => {
  it('gives the same, however what comes is cut into chunks', () => {
    const [notice, done] = [message('N', 'a notice'), message('c', '')];
    const all = Buffer.concat([
      notice,
      message('d', 'first'),
      message('d', ''),
      notice,
      message('d', 'x'),
      done,
      notice,
    ]);
    const expected = [
      `message ${notice.toString()}`,
      'data first',
      'data ',
      `message ${notice.toString()}`,
      'data x',
      `rest ${done.toString()}${notice.toString()}`,
    ];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: all.length }), { minLength: 1 }), (lengths) => {
        const chunks: Buffer[] = [];
        for (let at = 0, index = 0; at < all.length; index++) {
          const length = lengths[index % lengths.length]!;
          chunks.push(Buffer.from(all.subarray(at, at + length)));
          at += length;
        }
        expect(split(chunks)).toEqual(expected);
      }),
    );
  });

  it('refuses lengths that cannot be', () => {
    for (const [type, length] of [
      ['d', 3],
      ['N', 0],
      ['N', 2 ** 31],
    ] as const) {
      const bytes = Buffer.alloc(9);
      bytes.write(type);
      bytes.writeUInt32BE(length, 1);
      expect(() => split([bytes])).toThrow(expect.objectContaining({ code: 'archive-damaged' }));
    }
  });

  it('leaves everything from an error on to others', () => {
    const error = message('E', 'SFATAL');
    expect(split([Buffer.concat([message('d', 'half'), error])])).toEqual(['data half', `rest ${error.toString()}`]);
  });
});
