import { HoldfastError } from '../../foundation/errors.ts';

const LONGEST_LABEL_BYTES = 63;
const LONGEST_NAME_BYTES = 255;
const POINTER = 0xc0;

/** A name without the dot at its end, in lower case: how names are compared. The root is ''. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

export function isBelow(name: string, zone: string): boolean {
  return zone === '' || name === zone || name.endsWith(`.${zone}`);
}

/**
 * A name as it stands in messages, uncompressed and in lower case.
 * @throws bad-usage
 */
export function encodeName(name: string): Buffer {
  const plain = plainName(name);
  const labels = plain === '' ? [] : plain.split('.');
  const isName = labels.every((label) => /^[a-z0-9_*-]+$/.test(label) && label.length <= LONGEST_LABEL_BYTES);
  const bytes = Buffer.concat([
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1')),
    Buffer.of(0),
  ]);
  if (isName && bytes.length <= LONGEST_NAME_BYTES) return bytes;
  throw new HoldfastError('bad-usage', `${JSON.stringify(name)} is no name of DNS`, {
    hint: 'It has letters, digits, hyphens and underscores between dots; names in other scripts are written as xn--….',
  });
}

/**
 * A name at a place in a message. Pointers lead backwards only, so that none leads in a circle.
 * @returns the name, and where what follows it begins
 * @throws RangeError where there is no name
 */
export function decodeName(message: Buffer, at: number): { name: string; end: number } {
  const labels: string[] = [];
  let end: number | undefined;
  let lengthBytes = 1;
  for (let here = at, lowest = at; ; ) {
    const length = message.readUInt8(here);
    if (length >= POINTER) {
      const target = message.readUInt16BE(here) & 0x3fff;
      if (target >= lowest) throw new RangeError('a pointer that does not lead backwards');
      end ??= here + 2;
      lowest = target;
      here = target;
      continue;
    }
    if (length > LONGEST_LABEL_BYTES) throw new RangeError('a label of an unknown kind');
    if (length === 0) return { name: labels.join('.'), end: end ?? here + 1 };
    if (here + 1 + length > message.length) throw new RangeError('a label beyond the end');
    lengthBytes += length + 1;
    if (lengthBytes > LONGEST_NAME_BYTES) throw new RangeError('a name that is too long');
    labels.push(escaped(message.subarray(here + 1, here + 1 + length)));
    here += 1 + length;
  }
}

/** What is no letter, digit, hyphen or underscore as `\DDD`, as in zone files: nothing of it reaches a terminal as it is. */
function escaped(label: Buffer): string {
  return [...label]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9_*-]/.test(character) ? character.toLowerCase() : `\\${String(byte).padStart(3, '0')}`;
    })
    .join('');
}
