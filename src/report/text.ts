import { type Block, type Document, onOneLine } from './document.ts';

const GAP = '  ';

/** Plain text, with tables in columns of one width, without a newline at its end. */
export function renderText({ title, blocks }: Document): string {
  return [underlined(onOneLine(title), '='), ...blocks.map(blockText)].join('\n\n');
}

function blockText(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return underlined(onOneLine(block.text), '-');
    case 'paragraph':
      return block.text;
    case 'list':
      return block.items.map((item) => `- ${item.replaceAll('\n', '\n  ')}`).join('\n');
    case 'commands':
      return block.lines.map((line) => `    ${onOneLine(line)}`).join('\n');
    case 'table':
      return tableText([block.columns, ...block.rows]);
  }
}

function tableText(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(onOneLine));
  const widths = shown[0]!.map((_, column) => Math.max(...shown.map((row) => widthOf(row[column] ?? ''))));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell + ' '.repeat(widths[column]! - widthOf(cell)))
      .join(GAP)
      .trimEnd();
  const [heading = [], ...rest] = shown;
  return [line(heading), widths.map((width) => '-'.repeat(width)).join(GAP), ...rest.map(line)].join('\n');
}

function underlined(text: string, sign: string): string {
  return `${text}\n${sign.repeat(widthOf(text))}`;
}

function widthOf(text: string): number {
  return [...text].length;
}
