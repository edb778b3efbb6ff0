const LIMIT_BYTES = 200;
const SUFFIX = '.dat';

/**
 * The name of a table's file in the archive: `public.orders.dat`. Everything but ASCII letters, digits, `_` and `-` is
 * percent-encoded, so that a name is safe in any file system; the object id is added where a name is cut, or taken
 * already (by a table whose name differs in case only, for file systems that do not tell these apart).
 * @param taken names given so far in lower case; the new one is added
 */
export function tableFileName(schema: string, table: string, oid: number, taken: Set<string>): string {
  const plain = `${encode(schema)}.${encode(table)}`;
  const fits = plain.length + SUFFIX.length <= LIMIT_BYTES && !taken.has(`${plain}${SUFFIX}`.toLowerCase());
  const ending = `~${oid}${SUFFIX}`;
  const name = fits ? `${plain}${SUFFIX}` : `${cut(plain, LIMIT_BYTES - ending.length)}${ending}`;
  taken.add(name.toLowerCase());
  return name;
}

function encode(text: string): string {
  return Array.from(Buffer.from(text, 'utf8'), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}

/** Cuts an encoded name without leaving half an escape. */
function cut(encoded: string, limit: number): string {
  return encoded.slice(0, limit).replace(/%[0-9A-F]?$/, '');
}
