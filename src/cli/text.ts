import { stripVTControlCharacters, styleText } from 'node:util';

/** Text for people: columns that line up, and colours where the terminal takes them. */

type Style = Parameters<typeof styleText>[0];

/** Text in a colour where standard output is a terminal that takes one (see NO_COLOR, FORCE_COLOR). */
export function coloured(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

export const good = (text: string): string => coloured('green', text);
export const bad = (text: string): string => coloured('red', text);
export const doubtful = (text: string): string => coloured('yellow', text);
export const faint = (text: string): string => coloured('dim', text);
export const strong = (text: string): string => coloured('bold', text);

const GAP = '  ';

/** Rows in columns as wide as their widest cell. The first row is the heading. */
export function table(rows: readonly (readonly string[])[], options: { right?: readonly number[] } = {}): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width(cell));
  }
  const lines = rows.map((row, index) => {
    const cells = row.map((cell, column) => {
      const padding = ' '.repeat(widths[column]! - width(cell));
      return options.right?.includes(column) ? padding + cell : cell + padding;
    });
    const line = cells.join(GAP).trimEnd();
    return index === 0 ? faint(line) : line;
  });
  return lines.join('\n');
}

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** What moves the cursor, begins another line, or turns the direction of writing. */
const UNSHOWN = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** What somebody else wrote, on one line: nothing in it can change what a terminal shows beside it. */
export function ofOthers(text: string): string {
  return text.replace(UNSHOWN, '\ufffd');
}

/** `1 file`, `3 files`. */
export function counted(count: number, singular: string, plural: string = `${singular}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? singular : plural}`;
}

/** A time for people: `2026-01-31 14:03:06Z`. */
export function shownTime(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)}Z`;
}

export function shortId(id: string): string {
  return id.slice(0, 8);
}
