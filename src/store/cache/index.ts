export { CachingStore } from './caching-store.ts';

/** So much is kept of each repository. */
export const CACHE_LIMIT_BYTES = 4 * 1024 ** 3;
