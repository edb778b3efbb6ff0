import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  acknowledgementKey,
  acknowledgeUrl,
  type SignedAcknowledgement,
  verifyAcknowledgement,
} from './acknowledgement.ts';

const key = Buffer.alloc(32, 7);
const NOW_MS = 1_800_000_000_000;

function parsed(url: string): SignedAcknowledgement {
  const { pathname, searchParams } = new URL(url);
  const alert = decodeURIComponent(pathname.split('/').at(-1)!);
  return { alert, expires: searchParams.get('expires')!, signature: searchParams.get('signature')! };
}

describe('a link that acknowledges', () => {
  it('holds for its alert, whatever that is called, until it expires', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.integer({ min: 1, max: 10 ** 9 }), (alert, forMs) => {
        fc.pre(alert !== '.' && alert !== '..' && !/[\uD800-\uDFFF]/.test(alert));
        const link = parsed(acknowledgeUrl('https://holdfast.example/', alert, key, NOW_MS + forMs));
        expect(link.alert).toBe(alert);
        expect(verifyAcknowledgement(link, key, NOW_MS)).toBe('valid');
        expect(verifyAcknowledgement(link, key, NOW_MS + forMs)).toBe('expired');
      }),
    );
  });

  it('is forged with another alert, another time, another key, or any other signature', () => {
    const link = parsed(acknowledgeUrl('https://holdfast.example', 'a1b2', key, NOW_MS + 1000));
    const first = link.signature[0] === 'A' ? 'B' : 'A';
    for (const change of [
      { alert: 'a1b3' },
      { expires: String(NOW_MS + 2000) },
      { expires: `0${link.expires}` },
      { signature: `${first}${link.signature.slice(1)}` },
      { signature: '' },
      { signature: `${link.signature}A` },
    ]) {
      expect(verifyAcknowledgement({ ...link, ...change }, key, NOW_MS)).toBe('forged');
    }
    expect(verifyAcknowledgement(link, Buffer.alloc(32, 8), NOW_MS)).toBe('forged');
  });

  it('is signed with a key of its own, the same for the same repository', () => {
    const of = (byte: number): Buffer =>
      acknowledgementKey({
        key: { encrypt: Buffer.alloc(32, byte), macK: Buffer.alloc(16, 1), macR: Buffer.alloc(16, 2) },
      });
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
    expect(of(1)).not.toEqual(Buffer.alloc(32, 1));
  });
});
