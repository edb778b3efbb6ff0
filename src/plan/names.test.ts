import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IDENTIFIER, nearestName } from './names.ts';

test.each([
  ['shedule', 'schedule'],
  ['SCHEDULE', 'schedule'],
  ['retension', 'retention'],
  ['url', undefined],
  ['x', undefined],
])('the name nearest to %s is %s', (word, nearest) => {
  expect(nearestName(word, ['schedule', 'retention', 'validate'])).toBe(nearest);
});

test('of no names none is near', () => {
  expect(nearestName('a', [])).toBeUndefined();
});

test('a name with one letter changed is still found', () => {
  const name = fc.stringMatching(/^[a-z]{4,12}$/);
  fc.assert(
    fc.property(name, fc.nat(), (word, position) => {
      const at = position % word.length;
      expect(nearestName(`${word.slice(0, at)}#${word.slice(at + 1)}`, [word, 'zzzzzzzzzzzzzzzzzzzz'])).toBe(word);
    }),
  );
});

test('an identifier is one part of a path, and never an option', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      if (IDENTIFIER.test(text)) expect(text).not.toMatch(/^[-._]|[\s/\\:@'"$]/);
    }),
  );
  expect(IDENTIFIER.test('a\n')).toBe(false);
  expect(IDENTIFIER.test('__proto__')).toBe(false);
});
