/**
 * What changed in a tree of files, as its watch tells it: byte strings of absolute paths. A path means that entry alone, its
 * metadata and a file's content; with a slash at its end, whatever is below it as well.
 */

/** The place of an entry and of whatever is below it. */
export function everythingAt(path: string): string {
  return `${path}/`;
}

/** What is to be looked at anew in a directory. */
export interface Stale {
  /** All that is in it, at any depth. */
  isWhole: boolean;
  /** Entries by name. */
  children: Map<string, Stale>;
}

/** Places as a tree, so that who walks the directories finds them. */
export function staleTree(places: ReadonlySet<string>): Stale {
  const root = fresh();
  for (const place of places) {
    const names = place.split('/').filter((name) => name !== '');
    let at = root;
    for (const name of names) {
      let next = at.children.get(name);
      if (next === undefined) {
        next = fresh();
        at.children.set(name, next);
      }
      at = next;
    }
    if (place.endsWith('/')) at.isWhole = true;
  }
  return root;
}

function fresh(): Stale {
  return { isWhole: false, children: new Map() };
}
