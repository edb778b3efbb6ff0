import { HoldfastError } from '../foundation/errors.ts';
import { byteStringOfText, bytesOf } from './tree-node.ts';

/**
 * Names in restic trees are escaped as Go's `strconv.Quote` does, without the quotes around them, so that names of any
 * bytes can stand in JSON. Source: restic's `Node.MarshalJSON`; the Go language specification, "String literals".
 */

const PLAIN_NAME = /^[ !#-[\]-~]*$/;
/** What Go's `strconv.IsPrint` calls printable: letters, marks, numbers, punctuation, symbols and the space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const SHORT_ESCAPES: Record<string, string> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};
const UNESCAPES: Record<string, string> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** The text that stands for a byte string in a tree's JSON, before JSON's own escaping. */
export function goQuote(name: string): string {
  if (PLAIN_NAME.test(name)) return name;
  const bytes = bytesOf(name);
  let quoted = '';
  for (let at = 0; at < bytes.length; ) {
    const length = utf8LengthAt(bytes, at);
    if (length === 0) {
      quoted += `\\x${hex(bytes[at]!, 2)}`;
      at += 1;
      continue;
    }
    quoted += quoteCharacter(bytes.toString('utf8', at, at + length));
    at += length;
  }
  return quoted;
}

function quoteCharacter(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  if (PRINTABLE.test(character)) return character;
  const codePoint = character.codePointAt(0)!;
  if (codePoint < 0x20 || codePoint === 0x7f) return `\\x${hex(codePoint, 2)}`;
  return codePoint > 0xffff ? `\\U${hex(codePoint, 8)}` : `\\u${hex(codePoint, 4)}`;
}

/** The byte string that quoted text stands for. @throws repository-damaged for an escape that Go would refuse */
export function goUnquote(quoted: string): string {
  if (PLAIN_NAME.test(quoted)) return quoted;
  let name = '';
  for (let at = 0; at < quoted.length; ) {
    if (quoted[at] !== '\\') {
      const character = String.fromCodePoint(quoted.codePointAt(at)!);
      name += byteStringOfText(character);
      at += character.length;
      continue;
    }
    const [bytes, length] = decodeEscape(quoted, at);
    name += bytes;
    at += length;
  }
  return name;
}

/** The bytes that an escape at `at` stands for, and how many characters it takes. */
function decodeEscape(quoted: string, at: number): [bytes: string, length: number] {
  const kind = quoted[at + 1] ?? '';
  const simple = UNESCAPES[kind];
  if (simple !== undefined) return [simple, 2];
  const numeric = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/.exec(
    quoted.slice(at, at + 10),
  );
  const [whole = '', byte, short, long, octal] = numeric ?? [];
  const value = Number.parseInt(byte ?? short ?? long ?? octal ?? '', octal === undefined ? 16 : 8);
  const isByte = byte !== undefined || octal !== undefined;
  const isSurrogate = !isByte && value >= 0xd800 && value < 0xe000;
  if (Number.isNaN(value) || isSurrogate || value > (isByte ? 0xff : 0x10ffff)) {
    throw new HoldfastError('repository-damaged', 'a tree holds a name with an escape that does not exist');
  }
  return [isByte ? String.fromCharCode(value) : byteStringOfText(String.fromCodePoint(value)), whole.length];
}

/** How many bytes the well-formed UTF-8 character at `at` takes; 0 where there is none. */
function utf8LengthAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const second = bytes[at + 1]!;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let next = at + 2; next < at + length; next++) if ((bytes[next]! & 0xc0) !== 0x80) return 0;
  return length;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
