import { type Block, chaptersOf, type Document, onOneLine } from './document.ts';

/** Markdown with GitHub's tables, without a newline at its end. No text in it becomes markup. */
export function renderMarkdown({ title, blocks }: Document): string {
  return [`# ${escaped(title)}`, ...blocks.map((block) => blockMarkdown(block, chaptersOf(blocks)))].join('\n\n');
}

function blockMarkdown(block: Block, chapters: readonly string[]): string {
  switch (block.kind) {
    case 'heading':
      return `${'#'.repeat(block.level ?? 2)} ${escaped(block.text)}`;
    case 'contents':
      return chapters.map((text) => `- ${escaped(text)}`).join('\n');
    case 'paragraph':
      return block.tone === undefined ? escaped(block.text) : `**${escaped(block.text)}**`;
    case 'list':
      return block.items.map((item, index) => `${block.isOrdered ? `${index + 1}.` : '-'} ${escaped(item)}`).join('\n');
    case 'commands':
      return fenced(block.lines.map(onOneLine));
    case 'table':
      return [block.columns, block.columns.map(() => '---'), ...block.rows]
        .map((row, index) => rowOf(row, index === 1))
        .join('\n');
  }
}

function rowOf(cells: readonly string[], isRule: boolean): string {
  return `| ${cells.map((cell) => (isRule ? cell : escaped(cell))).join(' | ')} |`;
}

/** On one line, and with every character that could begin something else taken as itself. */
function escaped(text: string): string {
  return onOneLine(text)
    .replace(/[\\`*_[\]<>|#~&]/g, (sign) => `\\${sign}`)
    .replace(/^(\d+)([.)])(?=\s|$)/, '$1\\$2')
    .replace(/^([-+])/, '\\$1');
}

/** Between fences that are longer than any in it. */
function fenced(lines: readonly string[]): string {
  const longest = Math.max(2, ...lines.flatMap((line) => line.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  return [`${fence}sh`, ...lines, fence].join('\n');
}
