/** What Holdfast writes for people to keep: one document, shown as Markdown, as HTML that prints well, and as plain text. */
export { chapter, commands, list, paragraph, part, section, table } from './blocks.ts';
export type { Block, Document } from './document.ts';
export { renderHtml } from './html.ts';
export { renderMarkdown } from './markdown.ts';
export { renderText } from './text.ts';
