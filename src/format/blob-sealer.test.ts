import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlobSealer } from './blob-sealer.ts';
import { decompress } from './compression.ts';
import { loadNativeCodecs } from './native-codecs.ts';
import { SEAL_OVERHEAD_BYTES, type SealingKey, unseal } from './sealing.ts';

const key: SealingKey = { encrypt: randomBytes(32), macK: randomBytes(16), macR: randomBytes(16) };
const codecs = loadNativeCodecs(key);

function sealed(sealer: BlobSealer, plain: Uint8Array, compress = true) {
  const room = Buffer.alloc(plain.length + SEAL_OVERHEAD_BYTES, 0xee);
  const { sealedBytes, compressed } = sealer.seal(plain, room, { compress });
  return { bytes: room.subarray(0, sealedBytes), compressed };
}

describe.each([
  ["with the codecs of Node's binary", codecs],
  ['where these are hidden', null],
])('the sealer of blobs %s', (_, given) => {
  const sealer = new BlobSealer(key, given);

  it('seals what opens to the same bytes', () => {
    const plain = fc.oneof(
      fc.uint8Array({ maxLength: 5000 }),
      fc.string({ maxLength: 300 }).map((text) => Buffer.from(text.repeat(40))),
    );
    fc.assert(
      fc.property(plain, fc.boolean(), (bytes, compress) => {
        const result = sealed(sealer, bytes, compress);
        const opened = unseal(key, result.bytes);
        expect(Buffer.from(result.compressed ? decompress(opened, bytes.length) : opened)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('keeps as it is what compressing makes no smaller', () => {
    const noise = randomBytes(100_000);
    expect(sealed(sealer, noise)).toMatchObject({
      compressed: false,
      bytes: { length: 100_000 + SEAL_OVERHEAD_BYTES },
    });
    expect(sealed(sealer, Buffer.alloc(0)).bytes).toHaveLength(SEAL_OVERHEAD_BYTES);
    expect(sealed(sealer, Buffer.alloc(100_000)).compressed).toBe(true);
    expect(sealed(sealer, Buffer.alloc(100_000), false).compressed).toBe(false);
  });

  it('refuses a place that is too small for what cannot be compressed', () => {
    const noise = randomBytes(1000);
    expect(() => sealer.seal(noise, Buffer.alloc(1000), { compress: true })).toThrow(RangeError);
  });

  it('draws a nonce of its own for each blob, and reads shared memory', () => {
    const plain = new Uint8Array(new SharedArrayBuffer(64)).fill(7);
    const nonces = Array.from({ length: 600 }, () => sealed(sealer, plain).bytes.toString('hex', 0, 16));
    expect(new Set(nonces).size).toBe(600);
  });
});

describe('the codecs of the binary', () => {
  it('are there, on the Node that Holdfast brings', () => {
    expect(codecs).toBeDefined();
  });
});
