/** A playbook in Markdown, split into units so small that each says one thing. Pure. */
import { createHash } from 'node:crypto';

export interface Unit {
  /** The headings above it, and of a heading itself as well, joined by ` / `. */
  section: string;
  kind: 'heading' | 'item' | 'row' | 'sentence' | 'comment' | 'code';
  text: string;
  /** From 1, of the file: where people find it. */
  line: number;
}

/** The first 12 hexadecimal digits of the SHA-256 of a text, whatever its spaces: a unit is named by it, and not copied. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text.replace(/\s+/g, ' ').trim()).digest('hex').slice(0, 12);
}

/** Every heading, list item, table row, sentence and comment of the code; and each block of code as a whole. Nothing is left out. */
export function unitsOf(markdown: string): Unit[] {
  const units: Unit[] = [];
  const headings: string[] = [];
  let code: { line: number; lines: string[] } | undefined;
  const add = (kind: Unit['kind'], text: string, line: number) =>
    units.push({ section: headings.filter(Boolean).join(' / '), kind, text: text.trim(), line });
  for (const [index, raw] of markdown.split('\n').entries()) {
    const line = index + 1;
    if (/^\s*```/.test(raw)) {
      if (code !== undefined) add('code', code.lines.join('\n'), code.line);
      code = code === undefined ? { line, lines: [] } : undefined;
      continue;
    }
    if (code !== undefined) {
      const comment = /^\s*#(?!!)\s*(.+)$/.exec(raw)?.[1];
      if (comment === undefined) code.lines.push(raw);
      else add('comment', comment, line);
      continue;
    }
    addProse(raw, line);
  }
  if (code !== undefined) throw new Error(`a block of code that begins in line ${code.line} has no end`);
  return units;

  function addProse(raw: string, line: number): void {
    const heading = /^(#{1,6})\s+(.+)$/.exec(raw);
    if (heading !== null) {
      headings.length = heading[1]!.length - 1;
      headings[heading[1]!.length - 1] = heading[2]!.trim();
      add('heading', heading[2]!, line);
      return;
    }
    const item = /^\s*(?:[-*+]|\d+[.)])\s+(.+)$/.exec(raw)?.[1];
    if (item !== undefined) add('item', item, line);
    else if (/^\s*\|/.test(raw)) addRow(raw, line);
    else for (const sentence of raw.split(/(?<=[.!?])\s+/)) if (/\w/.test(sentence)) add('sentence', sentence, line);
  }

  function addRow(raw: string, line: number): void {
    if (/[^\s|:-]/.test(raw)) add('row', raw, line);
  }
}
