import { expect, it } from 'vitest';
import { userStateDirectory } from './user-state.ts';

it('lies below XDG_STATE_HOME where that is absolute, else below the home', () => {
  expect(userStateDirectory({ XDG_STATE_HOME: '/s', HOME: '/h' })).toBe('/s/holdfast');
  expect(userStateDirectory({ XDG_STATE_HOME: 's', HOME: '/h' })).toBe('/h/.local/state/holdfast');
  expect(userStateDirectory({ HOME: '' })).toBeUndefined();
});
