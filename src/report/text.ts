import { type Block, chaptersOf, type Document, onOneLine } from './document.ts';

const GAP = '  ';

/** Plain text, with tables in columns of one width, without a newline at its end. */
export function renderText({ title, blocks }: Document): string {
  return [underlined(onOneLine(title), '='), ...blocks.map((block) => blockText(block, chaptersOf(blocks)))].join(
    '\n\n',
  );
}

function blockText(block: Block, chapters: readonly string[]): string {
  switch (block.kind) {
    case 'heading':
      return block.level === 3 ? onOneLine(block.text) : underlined(onOneLine(block.text), '-');
    case 'contents':
      return chapters.map(onOneLine).join('\n');
    case 'paragraph':
      return block.text;
    case 'list':
      return block.items
        .map((item, index) => `${block.isOrdered ? `${index + 1}.` : '-'} ${item.replaceAll('\n', '\n  ')}`)
        .join('\n');
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
