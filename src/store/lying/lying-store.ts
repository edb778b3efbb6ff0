import { type Content, DecoratedStore } from '../index.ts';

/** A store that says that it decides a race of conditional puts, and replaces what is there: for tests. */
export class LyingStore extends DecoratedStore {
  override async capabilities() {
    return { ...(await super.capabilities()), conditionalPut: true };
  }

  override put(key: string, content: Content): Promise<void> {
    return super.put(key, content);
  }
}
