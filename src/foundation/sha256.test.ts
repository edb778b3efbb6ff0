import { createHash, hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashAlongside, hashEach, hashInRoom, PADDING_BYTES, runningSha256 } from './sha256.ts';

/** Around the edges of blocks, and around the length from which two are hashed at once. */
const lengths = fc.oneof(
  fc.integer({ min: 0, max: 200 }),
  fc.integer({ min: 4000, max: 4400 }),
  fc.integer({ min: 0, max: 100_000 }),
);
const messages = lengths.chain((length) =>
  fc.tuple(fc.integer({ min: 1, max: 255 }), fc.integer({ min: 0, max: 70 })).map(([factor, offset]) => {
    const bytes = new Uint8Array(new SharedArrayBuffer(length + offset));
    return bytes.map((_, index) => (index * factor) ^ (index >> 8)).subarray(offset);
  }),
);
const hashOf = (...bytes: Uint8Array[]) => hash('sha256', Buffer.concat(bytes), 'hex');

it('is had of Node’s own binary where the processor has instructions for it, so that this is tested', () => {
  const has =
    process.arch === 'x64' && existsSync('/proc/cpuinfo') && / sha_ni /.test(readFileSync('/proc/cpuinfo', 'utf8'));
  expect(runningSha256() instanceof createHash('sha256').constructor).toBe(!has);
});

describe('SHA-256 of several messages, two at once', () => {
  it('is what it is one after the other', () => {
    fc.assert(
      fc.property(fc.array(messages, { maxLength: 5 }), (several) => {
        const digests = hashEach(several).map((digest) => digest.toString('hex'));
        expect(digests).toEqual(several.map((message) => hashOf(message)));
      }),
      { numRuns: 500 },
    );
  });

  it('is what it is though they are long, and some much longer than others', () => {
    const several = [4096, 1_000_000, 4097, 300_000, 300_063, 5000].map((length, index) =>
      new Uint8Array(length).map((_, at) => at * (2 * index + 1)),
    );
    expect(hashEach(several).map((digest) => digest.toString('hex'))).toEqual(
      several.map((message) => hashOf(message)),
    );
  });

  it('is what it is piece by piece, whatever is hashed along with the pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(messages, fc.option(messages)), { maxLength: 6 }), (pieces) => {
        for (const running of [runningSha256(), createHash('sha256')]) {
          for (const [piece, message] of pieces) {
            if (message === null) running.update(piece);
            else expect(hashAlongside(message, running, piece).toString('hex')).toBe(hashOf(message));
          }
          expect(running.digest().toString('hex')).toBe(hashOf(...pieces.map(([piece]) => piece)));
        }
      }),
      { numRuns: 300 },
    );
  });
});

it('SHA-256 of what lies at the beginning of a room is what it is, and nothing behind the padding is touched', () => {
  fc.assert(
    fc.property(messages, (message) => {
      const room = new Uint8Array(message.length + PADDING_BYTES + 100).fill(7);
      room.set(message);
      expect(hashInRoom(room, message.length).toString('hex')).toBe(hashOf(message));
      expect(Buffer.compare(room.subarray(0, message.length), message)).toBe(0);
      expect(room.subarray(message.length + PADDING_BYTES).every((byte) => byte === 7)).toBe(true);
      // It fits exactly.
      expect(hashInRoom(room.subarray(0, message.length + PADDING_BYTES), message.length).toString('hex')).toBe(
        hashOf(message),
      );
    }),
    { numRuns: 300 },
  );
});
