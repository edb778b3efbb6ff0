/** Blocks of a document, made short. Pure. */
import type { Block } from './document.ts';

/** A heading, and what stands below it. */
export function chapter(text: string, ...blocks: readonly (Block | readonly Block[])[]): Block[] {
  return [{ kind: 'heading', text }, ...blocks.flat()];
}

/** The same; none where there is nothing in it. */
export function section(text: string, ...blocks: readonly (Block | readonly Block[])[]): Block[] {
  const all = blocks.flat();
  return all.length === 0 ? [] : chapter(text, all);
}

/** A part of a chapter; none where there is nothing in it. */
export function part(text: string, ...blocks: readonly (Block | readonly Block[])[]): Block[] {
  const all = blocks.flat();
  return all.length === 0 ? [] : [{ kind: 'heading', text, level: 3 }, ...all];
}

export function paragraph(text: string, tone?: 'good' | 'bad'): Block {
  return { kind: 'paragraph', text, ...(tone !== undefined && { tone }) };
}

export function list(items: readonly string[], isOrdered = false): Block[] {
  return items.length === 0 ? [] : [{ kind: 'list', items, isOrdered }];
}

export function commands(lines: readonly string[]): Block[] {
  return lines.length === 0 ? [] : [{ kind: 'commands', lines }];
}

/** @param otherwise what is said where there are no rows; nothing, when left out */
export function table(columns: readonly string[], rows: readonly (readonly string[])[], otherwise?: string): Block[] {
  if (rows.length > 0) return [{ kind: 'table', columns, rows }];
  return otherwise === undefined ? [] : [paragraph(otherwise)];
}
