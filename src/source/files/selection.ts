import { byteStringOfText } from '../../format/index.ts';

/** What is to be captured below a directory: everything, or only some entries. */
export interface Selection {
  all: boolean;
  children: Map<string, Selection>;
  /** Whether all of that is wanted; else what is named of it, and the directories that lead there. */
  isWanted: boolean;
}

/** The root directory, below which these paths are meant with all that is in them. @param paths absolute, as text */
export function selectionOf(paths: readonly string[]): Selection {
  const root: Selection = { all: false, children: new Map(), isWanted: false };
  for (const path of paths) {
    let selection = root;
    for (const part of byteStringOfText(path)
      .split('/')
      .filter((name) => name !== '')) {
      let next = selection.children.get(part);
      if (next === undefined) {
        next = { all: false, children: new Map(), isWanted: false };
        selection.children.set(part, next);
      }
      selection = next;
    }
    selection.all = true;
  }
  return root;
}

/** What a place in a directory that is looked at again is selected by: it was wanted already. */
export const EVERYTHING: Selection = { all: true, children: new Map(), isWanted: true };
