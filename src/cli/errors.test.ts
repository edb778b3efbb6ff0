import { expect, it } from 'vitest';
import { HoldfastError } from '../foundation/errors.ts';
import { errorText } from './errors.ts';

it('says what to do next where something is lost and whoever threw could not know', () => {
  for (const code of ['repository-damaged', 'object-missing'] as const) {
    expect(errorText(new HoldfastError(code, 'a pack is gone'), false)).toMatch(
      /^holdfast: a pack is gone\n {2}`holdfast check --read-data` names all/,
    );
  }
  const known = new HoldfastError('repository-damaged', 'a pack is gone', { hint: 'Do this.' });
  expect(errorText(known, false)).toBe('holdfast: a pack is gone\n  Do this.');
});
