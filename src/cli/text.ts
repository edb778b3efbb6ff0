import { randomInt } from 'node:crypto';
import { stripVTControlCharacters, styleText } from 'node:util';

/** Text for people: columns that line up, and colours where the terminal takes them. */

type Style = Parameters<typeof styleText>[0];

/** How a sequence for a terminal begins. */
const CSI = '\u001b[';
/** How our own begin until they are printed: drawn anew by each process, so that nobody's text can hold it. */
const OWN_CSI = `${CSI}${Array.from({ length: 4 }, () => randomInt(1000, 10_000)).join(';')};`;

/** Text in a colour where standard output is a terminal that takes one (see NO_COLOR, FORCE_COLOR). For `printable`. */
export function coloured(style: Style, text: string): string {
  const [before = '', after = ''] = styleText(style, '|', { stream: process.stdout }).split('|');
  return before.replaceAll(CSI, OWN_CSI) + text + after.replaceAll(CSI, OWN_CSI);
}

export const good = (text: string): string => coloured('green', text);
export const bad = (text: string): string => coloured('red', text);
export const doubtful = (text: string): string => coloured('yellow', text);
export const faint = (text: string): string => coloured('dim', text);
export const strong = (text: string): string => coloured('bold', text);

const GAP = '  ';

/** Rows in columns as wide as their widest cell, each on one line whatever is in it. The first row is the heading. */
export function table(given: readonly (readonly string[])[], options: { right?: readonly number[] } = {}): string {
  const rows = given.map((row) => row.map(ofOthers));
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
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text for people as it is printed: our own colours, lines and tabs. All else that a terminal would obey came with the names
 * and words of others, and is shown as `ls -b` shows it: `\x1b`. What prints text for people has it pass through here.
 */
export function printable(text: string): string {
  return escaped(text, '\n\t').replaceAll(OWN_CSI, CSI);
}

/** What somebody else wrote, on one line: for `printable`, which cannot tell a line that it begins from one of ours. */
export function ofOthers(text: string): string {
  return escaped(text, '');
}

/** One line of ours, which what it tells of others can neither end nor colour: oneLine`restored ${path}`. */
export function oneLine(ours: TemplateStringsArray, ...others: readonly unknown[]): string {
  return String.raw({ raw: ours }, ...others.map((each) => ofOthers(String(each))));
}

function escaped(text: string, kept: string): string {
  return text.replace(CONTROLS, (character, at: number) => {
    if (kept.includes(character) || text.startsWith(OWN_CSI, at)) return character;
    const code = character.charCodeAt(0).toString(16);
    return (
      SHORT_ESCAPES[character] ?? (code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`)
    );
  });
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
