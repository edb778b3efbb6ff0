import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newSealingKey } from './key-file.ts';
import { SEAL_OVERHEAD_BYTES, seal, unseal } from './sealing.ts';

const key = newSealingKey();
const bytes = fc.uint8Array({ maxLength: 300 });

describe('sealing', () => {
  it('gives back any bytes, the empty ones too', () => {
    fc.assert(
      fc.property(bytes, (plain) => {
        const sealed = seal(key, plain);
        expect(sealed).toHaveLength(plain.length + SEAL_OVERHEAD_BYTES);
        expect(unseal(key, sealed).equals(plain)).toBe(true);
      }),
    );
  });

  it('takes plaintext that lies in shared memory', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(1000)).fill(7);
    expect(unseal(key, seal(key, shared.subarray(10, 510))).equals(Buffer.alloc(500, 7))).toBe(true);
  });

  it('refuses whatever was changed by one bit', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), (plain, position) => {
        const sealed = seal(key, plain);
        const bit = position % (sealed.length * 8);
        sealed[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => unseal(key, sealed)).toThrow(expect.objectContaining({ code: 'repository-damaged' }));
      }),
    );
  });

  it('refuses what was cut or made longer', () => {
    const sealed = seal(key, Buffer.from('something worth keeping'));
    for (let length = 0; length < sealed.length; length++) {
      expect(() => unseal(key, sealed.subarray(0, length))).toThrow(/too short|authentication failed/);
    }
    expect(() => unseal(key, Buffer.concat([sealed, Buffer.of(0)]))).toThrow(/authentication failed/);
  });

  it('refuses what another key sealed', () => {
    expect(() => unseal(newSealingKey(), seal(key, Buffer.from('x')))).toThrow(/authentication failed/);
  });

  it('never uses a nonce twice', () => {
    const nonces = Array.from({ length: 100 }, () => seal(key, Buffer.from('x')).toString('hex', 0, 16));
    expect(new Set(nonces).size).toBe(100);
  });
});
