import { wordlist } from '@scure/bip39/wordlists/english.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMade, makePassphrase, passphraseIn, sharesMissing, splitPassphrase } from './passphrase.ts';

describe('a made passphrase', () => {
  it('is twelve words, another one each time, and known however it is typed', async () => {
    const passphrase = makePassphrase();
    expect(passphrase).toMatch(/^[a-z]+(?:-[a-z]+){11}$/);
    expect(makePassphrase()).not.toBe(passphrase);
    expect(await passphraseIn(` ${passphrase.toUpperCase().replaceAll('-', '  ')}\n`)).toBe(passphrase);
    // The same 128 bits, with another checksum: any other word would have the right one once in sixteen times.
    const misread = passphrase.replace(/\w+$/, (last) => wordlist[wordlist.indexOf(last) ^ 1]!);
    expect([passphrase, 'correct horse battery staple', misread].map(isMade)).toEqual([true, false, false]);
  });

  it("of one's own stays as it is, to the space", async () => {
    expect(await passphraseIn(' Correct  Horse ')).toBe(' Correct  Horse ');
  });
});

describe('shares', () => {
  it('give the passphrase back, any so many of them in any order, and fewer do not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 5 }).chain((threshold) =>
          fc.record({
            threshold: fc.constant(threshold),
            order: fc.shuffledSubarray([...Array(threshold + 2).keys()], { minLength: 1 }),
          }),
        ),
        async ({ threshold, order }) => {
          const passphrase = makePassphrase();
          const shares = await splitPassphrase(passphrase, { shares: threshold + 2, threshold });
          const given = order.map((at) => shares[at]!).join('\n');
          const missing = Math.max(0, threshold - order.length);
          expect(sharesMissing(given)).toBe(missing);
          if (missing === 0) expect(await passphraseIn(given)).toBe(passphrase);
          else await expect(passphraseIn(given)).rejects.toMatchObject({ code: 'too-few-shares' });
        },
      ),
      { numRuns: 30 },
    );
  });

  it('are not mixed up, and one that is mistyped or given twice is not taken for another', async () => {
    const [one, two] = [makePassphrase(), makePassphrase()];
    const first = await splitPassphrase(one, { shares: 3, threshold: 2 });
    const second = await splitPassphrase(two, { shares: 3, threshold: 2 });
    await expect(passphraseIn(`${first[0]} ${second[1]}`)).rejects.toThrow('different passphrases');
    await expect(passphraseIn(`${first[0]} ${first[0]}`)).rejects.toMatchObject({ code: 'too-few-shares' });
    const last = first[1]!.at(-1) === 'q' ? 'p' : 'q';
    await expect(passphraseIn(`${first[0]} ${first[1]!.slice(0, -1)}${last}`)).rejects.toThrow('mistyped');
    await expect(passphraseIn(first[0]!.slice(0, 20))).rejects.toThrow('mistyped');
  });

  it.each([
    { shares: 1, threshold: 1 },
    { shares: 2, threshold: 3 },
    { shares: 256, threshold: 2 },
    { shares: Number.NaN, threshold: 2 },
  ])('are not made where they make no sense: $threshold of $shares', async (shares) => {
    await expect(splitPassphrase(makePassphrase(), shares)).rejects.toMatchObject({ code: 'bad-usage' });
  });

  it('are not made of a passphrase that somebody thought of', async () => {
    await expect(splitPassphrase('correct horse', { shares: 3, threshold: 2 })).rejects.toMatchObject({
      code: 'bad-usage',
    });
  });
});
