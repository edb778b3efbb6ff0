/** A document before it has a form. Texts are plain: whatever they hold is shown as it is. */
export interface Document {
  title: string;
  /** For one sheet of paper: small, in two columns. */
  isDense?: boolean;
  blocks: readonly Block[];
}

export type Block =
  /** Of a chapter, or of a part of one. */
  | { kind: 'heading'; text: string; level?: 2 | 3 }
  /** The chapters of the document, in order. */
  | { kind: 'contents' }
  /** `bad` asks for attention; that is also said in words. */
  | { kind: 'paragraph'; text: string; tone?: 'good' | 'bad' }
  | { kind: 'list'; items: readonly string[]; isOrdered?: boolean }
  /** Lines for a shell, to be taken as they are. */
  | { kind: 'commands'; lines: readonly string[] }
  /** As many cells in each row as there are columns. */
  | { kind: 'table'; columns: readonly string[]; rows: readonly (readonly string[])[] };

/** The chapters of a document, by their headings. */
export function chaptersOf(blocks: readonly Block[]): string[] {
  return blocks.flatMap((block) => (block.kind === 'heading' && block.level !== 3 ? [block.text] : []));
}

/** A text without line breaks. */
export function onOneLine(text: string): string {
  return text.replace(/\s*[\r\n]\s*/g, ' ');
}
