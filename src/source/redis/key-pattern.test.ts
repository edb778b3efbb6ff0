import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyPattern, shownKey } from './key-pattern.ts';

const fits = (pattern: string, key: string): boolean => keyPattern(pattern)(Buffer.from(key));

describe('a pattern of keys', () => {
  it.each([
    ['session:*', ['session:', 'session:1'], ['sessions', 'a session:1']],
    ['h?llo', ['hello', 'hxllo'], ['hllo', 'heello']],
    ['h[ae]llo', ['hello', 'hallo'], ['hillo']],
    ['h[^e]llo', ['hallo'], ['hello']],
    ['[a-c]*[0-9]', ['a1', 'czz9'], ['d1', 'a']],
    ['[c-a]', ['b'], ['d']],
    ['a\\*b', ['a*b'], ['axb']],
    ['*a*b*', ['ab', 'xaxbx'], ['ba']],
    ['[abc', ['a', 'c'], ['d', 'ab']],
    ['', [''], ['a']],
  ])('%s means what a server takes it for', (pattern, meant, other) => {
    for (const key of meant) expect([key, fits(pattern, key)]).toEqual([key, true]);
    for (const key of other) expect([key, fits(pattern, key)]).toEqual([key, false]);
  });

  it('means what a regular expression of its stars does, and takes no time', () => {
    const text = (characters: string) => fc.array(fc.constantFrom(...characters), { maxLength: 20 });
    fc.assert(
      fc.property(text('ab*?'), text('ab'), (pattern, key) => {
        const expression = pattern.map((each) => (each === '*' ? '.*' : each === '?' ? '.' : each)).join('');
        expect(fits(pattern.join(''), key.join(''))).toBe(new RegExp(`^${expression}$`).test(key.join('')));
      }),
      { numRuns: 300 },
    );
    expect(fits(`${'*a'.repeat(50)}b`, 'a'.repeat(5000))).toBe(false);
  });

  it('has keys that can be shown', () => {
    expect(shownKey(Buffer.from([0x61, 0, 0xff, 0x1b]))).toBe('a···');
    expect(shownKey(Buffer.alloc(500, 'k'))).toHaveLength(121);
  });
});
