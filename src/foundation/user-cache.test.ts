import { expect, it } from 'vitest';
import { userCacheDirectory } from './user-cache.ts';

it('lies below XDG_CACHE_HOME where that is absolute, else below the home', () => {
  expect(userCacheDirectory({ XDG_CACHE_HOME: '/c', HOME: '/h' })).toBe('/c/holdfast');
  expect(userCacheDirectory({ XDG_CACHE_HOME: 'c', HOME: '/h' })).toBe('/h/.cache/holdfast');
  expect(userCacheDirectory({ HOME: '' })).toBeUndefined();
});
