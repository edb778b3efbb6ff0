import { describe, expect, it } from 'vitest';
import {
  encodeStatement,
  fingerprintOf,
  newSigningKey,
  parseSigningKey,
  publicKeyOf,
  sealEnvelope,
} from '../../evidence/index.ts';
import { believedOf, judgeEvidence } from './judge-evidence.ts';
import {
  type KeyList,
  keysListedBy,
  newestKeyList,
  openKeyList,
  sealKeyList,
  withKey,
  withRevoked,
} from './key-list.ts';

const [first, second, stranger] = [newSigningKey(), newSigningKey(), newSigningKey()].map(parseSigningKey) as [
  ReturnType<typeof parseSigningKey>,
  ReturnType<typeof parseSigningKey>,
  ReturnType<typeof parseSigningKey>,
];
const [JANUARY, MARCH, MAY] = ['2026-01-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z', '2026-05-01T00:00:00.000Z'];
const named = (key: typeof first) => ({ key: fingerprintOf(key), publicKey: publicKeyOf(key) });
const signing = (key: typeof first, signedAt: string) => ({
  ...{ plan: 'shop', key: fingerprintOf(key), signedAt },
  tool: { name: 'holdfast', version: '1' },
});

/** The first key signed from January to March, the second one from then on. */
const both: KeyList = withKey(withKey(undefined, named(first), JANUARY), named(second), MARCH);

function signed(key: typeof first, signedAt: string, by = key): string {
  const subject = { name: 'snapshots/x', sha256: 'ab'.repeat(32) };
  const proof = { source: 'docs', state: 'failed' };
  return sealEnvelope(encodeStatement('proof', [subject], { ...signing(key, signedAt), proof }), [by]);
}

describe('evidence', () => {
  const judge = (text: string, { keys } = both) => judgeEvidence(text, believedOf(keys));

  it('is believed by the key that signed then, also one that was replaced since, and says what it tells of', () => {
    for (const text of [signed(first, JANUARY), signed(first, MARCH), signed(second, MAY)]) {
      expect(judge(text)).toMatchObject({ verdict: 'verified', reasons: [], kind: 'proof', says: 'docs: failed' });
    }
  });

  it('is refused where its key signed at no such time, or is none of the plan', () => {
    expect(judge(signed(first, MAY)).reasons).toEqual([expect.stringMatching(/had been replaced at 2026-03-01/)]);
    expect(judge(signed(second, JANUARY)).reasons).toEqual([expect.stringMatching(/was not used before 2026-03-01/)]);
    expect(judge(signed(stranger, MAY)).reasons).toEqual([expect.stringMatching(/no key that is believed/)]);
    expect(judge(signed(first, JANUARY, second)).reasons).toContain('it says that another key has signed it');
  });

  it('is refused of a revoked key, whatever time it bears', () => {
    const revoked = withRevoked(both, fingerprintOf(first), { since: MAY, at: MAY, why: 'the laptop was stolen' });
    expect(judge(signed(first, JANUARY), revoked).reasons).toEqual([expect.stringMatching(/revoked .* stolen/)]);
    expect(judge(signed(second, MAY), revoked).verdict).toBe('verified');
  });

  it('is refused where it holds something else than a statement', () => {
    const text = sealEnvelope(Buffer.from('{"_type":"x"}'), [second]);
    expect(judge(text).reasons).toEqual([expect.stringMatching(/no statement of Holdfast's/)]);
    expect(judge('no evidence').reasons).toEqual([expect.stringMatching(/no DSSE envelope/)]);
  });
});

describe('the list of keys', () => {
  it('is believed by the key that it names last', () => {
    expect(openKeyList(sealKeyList(both, signing(second, MAY), [second, first]))).toEqual(both);
    expect(openKeyList(sealKeyList(both, signing(second, MAY), [second]))).toEqual(both);
    for (const by of [[first], [stranger], [second, stranger]]) {
      const text = sealKeyList(both, signing(second, MAY), by);
      expect(() => openKeyList(text)).toThrow(expect.objectContaining({ code: 'evidence-refused' }));
    }
    const swapped = { ...both, keys: both.keys.map((each) => ({ ...each, publicKey: publicKeyOf(stranger) })) };
    const text = sealKeyList(swapped, signing(second, MAY), [stranger]);
    expect(() => openKeyList(text)).toThrow(/is another one/);
  });

  it('is one of several that keys which are believed signed: a key that any of them revokes is revoked', () => {
    const revoked = withRevoked(both, fingerprintOf(first), { since: JANUARY, at: MAY, why: 'stolen' });
    const alone = withKey(undefined, named(first), JANUARY);
    const ofSecond = sealKeyList(revoked, signing(second, MAY), [second]);
    const ofFirst = sealKeyList(alone, signing(first, JANUARY), [first]);
    // Who stole the first key says that there is a third one.
    const forged = {
      revision: 99,
      keys: [
        { ...named(stranger), from: JANUARY },
        { ...named(first), from: MAY },
      ],
    };
    const ofThief = sealKeyList(forged, signing(first, MAY), [first]);
    const believed = new Set([first, second].map(fingerprintOf));
    for (const texts of [
      [ofSecond, ofFirst, ofThief],
      [ofThief, ofFirst, ofSecond],
    ]) {
      const keys = keysListedBy(texts, (key) => believed.has(key));
      const seen = keys.map(({ key, revoked: of }) => [key, of !== undefined]).sort();
      expect(seen).toEqual(
        [
          [fingerprintOf(first), true],
          [fingerprintOf(second), false],
        ].sort(),
      );
    }
    expect(keysListedBy([ofSecond], (key) => key === fingerprintOf(stranger))).toEqual([]);
  });

  it('is the newest of several, and what is no list counts for nothing', () => {
    const early = withKey(undefined, named(first), JANUARY);
    const texts = [sealKeyList(both, signing(second, MAY), [second]), sealKeyList(early, signing(first, MAY), [first])];
    expect(newestKeyList([...texts, signed(second, MAY), 'nothing'])?.revision).toBe(2);
    expect(newestKeyList(['nothing'])).toBeUndefined();
  });
});
