import { HoldfastError } from '../foundation/errors.ts';
import { matchesBelow, pathMatcher } from './path-matcher.ts';

/** What patterns name, see `pathMatcher`, and which of them have named something. */
export class NamedPaths {
  readonly #patterns: { pattern: string; names: (path: string) => boolean; isUsed: boolean }[];

  /** Whether something below a directory may be named. @param path a byte string */
  readonly mayNameBelow: (path: string) => boolean;

  constructor(patterns: readonly string[]) {
    this.mayNameBelow = matchesBelow(patterns);
    this.#patterns = patterns.map((pattern) => ({ pattern, names: pathMatcher([pattern]), isUsed: false }));
  }

  /** @param path a byte string */
  has(path: string): boolean {
    let isNamed = false;
    for (const each of this.#patterns) {
      if (!each.names(path)) continue;
      each.isUsed = true;
      isNamed = true;
    }
    return isNamed;
  }

  /** Whether a path is named, or a directory that it is in. @param path a byte string that begins with a slash */
  hasIn(path: string): boolean {
    const names = path.split('/').slice(1);
    // All of them: each pattern that names one of them is used.
    return names.map((_, index) => this.has(`/${names.slice(0, index + 1).join('/')}`)).includes(true);
  }

  /** Whether each pattern has named something so far. */
  get areAllUsed(): boolean {
    return this.#patterns.every(({ isUsed }) => isUsed);
  }

  /**
   * @param within what was looked through
   * @throws path-missing where a pattern has named nothing so far, with this hint
   */
  refuseUnused(within: readonly string[], hint: string): void {
    const unused = this.#patterns.filter(({ isUsed }) => !isUsed).map(({ pattern }) => JSON.stringify(pattern));
    if (unused.length === 0) return;
    throw new HoldfastError('path-missing', `nothing in ${within.join(', ')} is named by ${unused.join(', ')}`, {
      hint,
    });
  }
}
