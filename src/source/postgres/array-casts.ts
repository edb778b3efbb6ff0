/**
 * Brings the two ways in which PostgreSQL writes a cast of an array to one.
 *
 * `status IN ('a', 'b')` on a varchar column is kept as a cast of the whole array and dumped as
 * `(ARRAY['a'::character varying, …])::text[]`. Read back, it is kept as an array of casts and dumped as
 * `ARRAY[('a'::character varying)::text, …]` from then on. Both mean the same, and a definition that was restored once
 * must not be taken for another one.
 * @param sql a definition as pg_dump writes it: any characters, one for a byte too
 */
export function distributeArrayCasts(sql: string): string {
  let text = sql;
  let from = text.indexOf(OPENING);
  while (from !== -1) {
    const list = arrayAt(text, from);
    const cast = list === undefined ? undefined : CAST.exec(text.slice(list.end))?.[1];
    if (list !== undefined && cast !== undefined) {
      const elements = list.elements.map((element) => `(${element})::${cast}`).join(', ');
      const end = list.end + `])::${cast}[]`.length;
      text = `${text.slice(0, from)}ARRAY[${elements}]${text.slice(end)}`;
    }
    // From the same place on: an element may itself be such an array, and a rewritten one no longer begins like this.
    from = text.indexOf(OPENING, list !== undefined && cast !== undefined ? from : from + 1);
  }
  return text;
}

const OPENING = '(ARRAY[';
/** The rest of the cast: a type's name, with its schema, words or length. */
const CAST = /^\]\)::((?:[\w.$" \u0080-\uffff]|\(\d+(?:,\d+)?\))+)\[\]/;
const PAIRS: Readonly<Record<string, number>> = { '(': 1, '[': 1, ')': -1, ']': -1 };

/** The elements of the array that begins at `from`, and where its closing bracket stands. */
function arrayAt(text: string, from: number): { elements: string[]; end: number } | undefined {
  const elements: string[] = [];
  let depth = 0;
  let begin = from + OPENING.length;
  for (let at = begin; at < text.length; at++) {
    const character = text[at]!;
    if (character === "'" || character === '"') {
      at = endOfQuoted(text, at);
    } else if (depth === 0 && (character === ',' || character === ']')) {
      elements.push(text.slice(begin, at).trim());
      if (character === ']') return { elements, end: at };
      begin = at + 1;
    } else {
      depth += PAIRS[character] ?? 0;
    }
  }
  return undefined;
}

/** Where the literal or the quoted name that begins at `from` ends; a doubled quote begins the next part of it. */
function endOfQuoted(text: string, from: number): number {
  const end = text.indexOf(text[from]!, from + 1);
  return end === -1 ? text.length : end;
}
