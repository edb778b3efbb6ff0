import { byteStringOfText } from '../../../format/index.ts';

/** What of a file system is watched, told by paths alone: byte strings, without a slash at the end, `` for the root. */
export class WatchedPaths {
  /** The plan's. */
  readonly paths: readonly string[];
  /** The directories that lead to them, but for those that are below one of them. */
  readonly leading: readonly string[];
  readonly #isExcluded: (path: string) => boolean;

  /** @param paths absolute, as text */
  constructor(paths: readonly string[], isExcluded: (path: string) => boolean) {
    this.paths = paths.map((path) => (path === '/' ? '' : byteStringOfText(path)));
    this.leading = [...new Set(this.paths.flatMap(parentsOf))].filter((path) => !this.#isInside(path));
    this.#isExcluded = isExcluded;
  }

  /** Whether it is a path of the plan or below one, and not excluded. */
  includes(path: string): boolean {
    if (this.paths.includes(path)) return true;
    return this.#isInside(path) && !this.#isExcluded(path);
  }

  /** Whether a path of the plan is this one, or below it. */
  leadsTo(path: string): boolean {
    return this.paths.includes(path) || this.leading.includes(path);
  }

  #isInside(path: string): boolean {
    return this.paths.some((each) => path === each || path.startsWith(`${each}/`));
  }
}

/** `/a/b/c`: ``, `/a`, `/a/b`. */
function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return path === '' ? [] : parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
