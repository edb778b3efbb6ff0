import { expect, it } from 'vitest';
import { HoldfastError } from '../foundation/errors.ts';
import { errorText } from './errors.ts';

it('says what to do next where something is lost and whoever threw could not know', () => {
  const next = /^holdfast: a pack is gone\n {2}`holdfast check --read-data` names all/;
  expect(errorText(new HoldfastError('repository-damaged', 'a pack is gone'), false)).toMatch(next);
  const missing = new HoldfastError('object-missing', 'a pack is gone', { context: { key: 'data/ab/abcd' } });
  expect(errorText(missing, false)).toMatch(next);
  const known = new HoldfastError('repository-damaged', 'a pack is gone', { hint: 'Do this.' });
  expect(errorText(known, false)).toBe('holdfast: a pack is gone\n  Do this.');
});

it('says nothing of the repository where an object of a source is gone', () => {
  const gone = new HoldfastError('object-missing', 'a.jpg is gone', { context: { key: 'uploads/a.jpg' } });
  expect(errorText(gone, false)).toBe('holdfast: a.jpg is gone');
});
