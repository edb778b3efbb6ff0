import { HoldfastError } from '../../../foundation/errors.ts';

/** What a table or schema is called in the database that it is restored into. */
export interface NewName {
  /** As a table's own, where it is left out. */
  schema?: string;
  name: string;
}

/** Bytes of a name, as every server is built. */
const LONGEST_NAME_BYTES = 63;

/** @param text `name`, or `schema.name` @throws bad-usage */
export function parseNewName(text: string): NewName {
  const point = text.indexOf('.');
  const parts = point === -1 ? [text] : [text.slice(0, point), text.slice(point + 1)];
  if (parts.some((part) => part === '' || Buffer.byteLength(part) > LONGEST_NAME_BYTES)) {
    throw new HoldfastError('bad-usage', `${JSON.stringify(text)} is no name for a table or schema`, {
      hint: `Write \`--as name\`, or \`--as schema.name\`; a name has at most ${LONGEST_NAME_BYTES} bytes.`,
    });
  }
  return point === -1 ? { name: text } : { schema: parts[0]!, name: parts[1]! };
}

/**
 * What an index, a sequence or a partition of a renamed table is called: as before, with the table's new name in place of
 * the old one where it begins with that, and before it elsewhere; a table that keeps its name changes none. What is too
 * long is cut.
 * @param taken names given so far; the new one is added
 */
export function nameBeside(old: string, table: { from: string; to: string }, taken: Set<string>): string {
  const isKept = table.from === table.to;
  const renamed = old.startsWith(table.from) ? `${table.to}${old.slice(table.from.length)}` : `${table.to}_${old}`;
  const whole = isKept ? old : renamed;
  let name = cut(whole, LONGEST_NAME_BYTES);
  for (let count = 1; taken.has(name); count++)
    name = `${cut(whole, LONGEST_NAME_BYTES - 1 - String(count).length)}_${count}`;
  taken.add(name);
  return name;
}

/** The beginning of a text, in so many bytes, without half a character. */
function cut(text: string, limitBytes: number): string {
  let bytes = 0;
  let end = '';
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > limitBytes) break;
    end += character;
  }
  return end;
}
