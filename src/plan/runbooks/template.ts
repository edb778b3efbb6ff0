/** Texts with places that are filled in later: `${point.time}`. Pure. */

/** A text as it is, or what stands for a value: `point.time`. */
export type TemplatePart = string | { name: string };

const PLACE = /\$\{([^}]*)\}/g;

export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let end = 0;
  for (const { 0: whole, 1: name = '', index } of text.matchAll(PLACE)) {
    if (index > end) parts.push(text.slice(end, index));
    parts.push({ name: name.trim() });
    end = index + whole.length;
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}

/** The names that a text refers to, each once. */
export function namesInTemplate(text: string): string[] {
  return [...new Set(parseTemplate(text).flatMap((part) => (typeof part === 'string' ? [] : [part.name])))];
}

/** The text with what is known filled in; what is not stays as it is written. */
export function fillTemplate(text: string, value: (name: string) => string | undefined): string {
  return parseTemplate(text)
    .map((part) => (typeof part === 'string' ? part : (value(part.name) ?? `\${${part.name}}`)))
    .join('');
}

/** Every text in a value of the plan, wherever it stands, with the path to it. Keys are not texts. */
export function textsIn(value: unknown, path: PropertyKey[] = []): { path: PropertyKey[]; text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (Array.isArray(value)) return value.flatMap((each, index) => textsIn(each, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => textsIn(each, [...path, key]));
}
