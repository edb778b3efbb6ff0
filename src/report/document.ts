/** A document before it has a form. Texts are plain: whatever they hold is shown as it is. */
export interface Document {
  title: string;
  blocks: readonly Block[];
}

export type Block =
  | { kind: 'heading'; text: string }
  /** `bad` asks for attention; that is also said in words. */
  | { kind: 'paragraph'; text: string; tone?: 'good' | 'bad' }
  | { kind: 'list'; items: readonly string[] }
  /** As many cells in each row as there are columns. */
  | { kind: 'table'; columns: readonly string[]; rows: readonly (readonly string[])[] };
