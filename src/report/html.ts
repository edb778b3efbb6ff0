import { escapeHtml } from '../foundation/html.ts';
import { type Block, chaptersOf, type Document, onOneLine } from './document.ts';

/** For screen and paper, and for mail programs, which load nothing from elsewhere. */
const STYLE = `
@page { margin: 18mm 15mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt system-ui, sans-serif } }
body { font: 15px/1.45 system-ui, sans-serif; color: #111; background: #fff; max-width: 60em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 1.8em } h3 { font-size: 1em; margin-top: 1.4em }
h2, h3, h2 + p, h2 + p + p, h3 + p { break-after: avoid }
table { border-collapse: collapse; width: 100%; font-size: 0.88em; margin: 0.6em 0 1em }
thead { display: table-header-group } tr { break-inside: avoid }
th, td { border-bottom: 1px solid #bbb; padding: 0.3em 0.6em 0.3em 0; text-align: left; vertical-align: top; overflow-wrap: break-word }
pre { background: #f3f3f3; padding: 0.5em 0.7em; font-size: 0.8em; white-space: pre-wrap; overflow-wrap: anywhere; break-inside: avoid; margin: 0.5em 0 }
nav a { color: inherit } nav ul { list-style: none; padding: 0; columns: 2 }
.good { color: #0a5c24; font-weight: bold } .bad { color: #a01010; font-weight: bold }
@media print { body { font-size: 10pt; max-width: none; margin: 0; padding: 0 } nav a { text-decoration: none } }
`;

const DENSE_STYLE = `
@media print {
  @page { size: A4; margin: 9mm 8mm }
  body { font-size: 7.6pt; line-height: 1.25; columns: 2; column-gap: 6mm }
  h1 { column-span: all; font-size: 1.6em; margin: 0 } h2 { margin: 0.8em 0 0.2em } p, ul, pre, table { margin: 0.3em 0 }
  th, td { padding: 0.1em 0.4em 0.1em 0 } pre { padding: 0.3em 0.5em }
}
`;

/** A whole page that needs nothing beside it. No text in it becomes markup. */
export function renderHtml({ title, blocks, isDense = false }: Document): string {
  const shown = escapeHtml(title);
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${shown}</title><style>${STYLE}${isDense ? DENSE_STYLE : ''}</style>`;
  const chapters = chaptersOf(blocks);
  const body = blocks.map((block) => blockHtml(block, chapters)).join('\n');
  return `<!DOCTYPE html>\n<html lang="en"><head>${head}</head>\n<body>\n<h1>${shown}</h1>\n${body}\n</body></html>`;
}

function blockHtml(block: Block, chapters: readonly string[]): string {
  switch (block.kind) {
    case 'heading': {
      if (block.level === 3) return `<h3>${escapeHtml(block.text)}</h3>`;
      return `<h2 id="chapter-${chapters.indexOf(block.text) + 1}">${escapeHtml(block.text)}</h2>`;
    }
    case 'contents':
      return `<nav><ul>${chapters.map((text, index) => `<li><a href="#chapter-${index + 1}">${escapeHtml(text)}</a></li>`).join('')}</ul></nav>`;
    case 'paragraph':
      return `<p${block.tone === undefined ? '' : ` class="${block.tone}"`}>${escapeHtml(block.text)}</p>`;
    case 'list': {
      const element = block.isOrdered ? 'ol' : 'ul';
      return `<${element}>${block.items.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</${element}>`;
    }
    case 'commands':
      return `<pre>${block.lines.map(onOneLine).map(escapeHtml).join('\n')}</pre>`;
    case 'table':
      return `<table><thead>${rowHtml(block.columns, 'th')}</thead><tbody>${block.rows.map((row) => rowHtml(row, 'td')).join('\n')}</tbody></table>`;
  }
}

function rowHtml(cells: readonly string[], element: 'th' | 'td'): string {
  return `<tr>${cells.map((cell) => `<${element}>${escapeHtml(cell)}</${element}>`).join('')}</tr>`;
}
