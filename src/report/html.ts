import { escapeHtml } from '../foundation/html.ts';
import { type Block, type Document, onOneLine } from './document.ts';

/** For screen and paper, and for mail programs, which load nothing from elsewhere. */
const STYLE = `
@page { margin: 18mm 15mm }
body { font: 15px/1.45 system-ui, sans-serif; color: #111; background: #fff; max-width: 60em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 1.8em; break-after: avoid }
table { border-collapse: collapse; width: 100%; font-size: 0.88em }
thead { display: table-header-group } tr { break-inside: avoid }
th, td { border-bottom: 1px solid #bbb; padding: 0.3em 0.6em 0.3em 0; text-align: left; vertical-align: top }
.good { color: #0a5c24; font-weight: bold } .bad { color: #a01010; font-weight: bold }
pre { background: #f2f2f2; padding: 0.5em 0.7em; white-space: pre-wrap; overflow-wrap: anywhere; break-inside: avoid; font-size: 0.88em }
@media print { body { font-size: 10pt; max-width: none; margin: 0; padding: 0 } }
`;

const DENSE_STYLE = `
@media print {
  @page { size: A4; margin: 9mm 8mm }
  body { font-size: 6.6pt; line-height: 1.25; columns: 2; column-gap: 6mm }
  h1 { column-span: all; font-size: 1.6em; margin: 0 } h2 { margin: 0.8em 0 0.2em } p, ul, pre, table { margin: 0.3em 0 }
  th, td { padding: 0.1em 0.4em 0.1em 0 } pre { padding: 0.3em 0.5em }
}
`;

/** A whole page that needs nothing beside it. No text in it becomes markup. */
export function renderHtml({ title, blocks, isDense = false }: Document): string {
  const shown = escapeHtml(title);
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${shown}</title><style>${STYLE}${isDense ? DENSE_STYLE : ''}</style>`;
  return `<!DOCTYPE html>\n<html lang="en"><head>${head}</head>\n<body>\n<h1>${shown}</h1>\n${blocks.map(blockHtml).join('\n')}\n</body></html>`;
}

function blockHtml(block: Block): string {
  switch (block.kind) {
    case 'heading':
      return `<h2>${escapeHtml(block.text)}</h2>`;
    case 'paragraph':
      return `<p${block.tone === undefined ? '' : ` class="${block.tone}"`}>${escapeHtml(block.text)}</p>`;
    case 'list':
      return `<ul>${block.items.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</ul>`;
    case 'commands':
      return `<pre>${block.lines.map(onOneLine).map(escapeHtml).join('\n')}</pre>`;
    case 'table':
      return `<table><thead>${rowHtml(block.columns, 'th')}</thead><tbody>${block.rows.map((row) => rowHtml(row, 'td')).join('\n')}</tbody></table>`;
  }
}

function rowHtml(cells: readonly string[], element: 'th' | 'td'): string {
  return `<tr>${cells.map((cell) => `<${element}>${escapeHtml(cell)}</${element}>`).join('')}</tr>`;
}
