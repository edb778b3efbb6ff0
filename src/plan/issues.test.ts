import { expect, test } from 'vitest';
import { valueAt } from './issues.ts';

test('what stands at a path is found through keys and lists', () => {
  expect(valueAt({ a: [{ b: 1 }] }, ['a', 0, 'b'])).toBe(1);
  expect(valueAt({ a: null }, ['a', 'b'])).toBeUndefined();
  expect(valueAt('text', ['length'])).toBeUndefined();
});

test('nothing is found in what every object inherits', () => {
  for (const name of ['constructor', 'toString', '__proto__']) expect(valueAt({}, [name])).toBeUndefined();
});
