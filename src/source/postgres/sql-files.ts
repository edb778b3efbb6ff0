import { readFileSync } from 'node:fs';

const texts = new Map<string, string>();

/** The text of a query in `sql/`, read once. */
export function sqlFile(name: string): string {
  let text = texts.get(name);
  if (text === undefined) {
    text = readFileSync(new URL(`./sql/${name}.sql`, import.meta.url), 'utf8');
    texts.set(name, text);
  }
  return text;
}
