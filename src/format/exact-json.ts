/**
 * JSON as Go reads and writes it: whole numbers beyond 2^53 are kept exact, as bigints, and text is escaped as Go's
 * encoding/json escapes it, so that equal values have equal bytes.
 */

/** Where a value may begin: among the digits of an id, which is text, there are often as many in a row. */
const MAY_HOLD_LARGE_NUMBER = /[\s:,[]-?[0-9]{16}/;

/** JSON text as a value in which a whole number that a double cannot hold is a bigint. @throws SyntaxError */
export function parseExactJson(text: string): unknown {
  if (!MAY_HOLD_LARGE_NUMBER.test(text)) return JSON.parse(text);
  const parse = JSON.parse as (
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ) => unknown;
  return parse(text, (_key, value, context) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
    return context.source !== undefined && /^-?[0-9]+$/.test(context.source) ? BigInt(context.source) : value;
  });
}

/** A value as JSON text. Undefined members are left out; bigints are written as numbers. */
export function stringifyExactJson(value: unknown): string {
  if (typeof value === 'string') return goJsonString(value);
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => stringifyExactJson(item ?? null)).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([key, member]) => `${goJsonString(key)}:${stringifyExactJson(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

const NEEDS_GO_ESCAPE = /[<>&\u2028\u2029]/g;
const PLAIN_TEXT = /^[ !#-%'-;=?-[\]-~]*$/;

/** A string as Go's encoding/json writes it: `<`, `>`, `&` and the two line separators are escaped too. */
export function goJsonString(text: string): string {
  if (PLAIN_TEXT.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    NEEDS_GO_ESCAPE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
