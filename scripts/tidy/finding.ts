/** Something untidy: where, what, and why it matters. */
export interface Finding {
  file: string;
  /** From 1. */
  line: number;
  message: string;
}

/** A file of the project, with its path from the project's root. */
export interface TextFile {
  path: string;
  text: string;
}

/** The line, from 1, that `offset` is on. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
