import type { ObjectStore } from '../../src/store/index.ts';

/** A store that something else happens to before each call. */
export function betweenCalls(inner: ObjectStore, between: () => Promise<void>): ObjectStore {
  return {
    location: inner.location,
    capabilities: () => inner.capabilities(),
    stagingDirectory: inner.stagingDirectory,
    put: async (...call) => between().then(() => inner.put(...call)),
    get: async (...call) => between().then(() => inner.get(...call)),
    stat: async (...call) => between().then(() => inner.stat(...call)),
    delete: async (...call) => between().then(() => inner.delete(...call)),
    async *list(prefix) {
      await between();
      yield* inner.list(prefix);
    },
  };
}
