/** Values as Cloud DNS has them: as a zone's file does, with names to their last dot and texts in quotes. Pure. */
import { isIPv4, isIPv6 } from 'node:net';
import { HoldfastError } from '../../foundation/errors.ts';
import type { RecordType } from '../dns.ts';

/** A text is cut where a string of a record ends. Source: RFC 1035, section 3.3. */
const LONGEST_STRING_BYTES = 255;
const STRING = /"((?:[^"\\]|\\.)*)"|(\S+)/g;

/** @throws bad-usage for what is no value of this type */
export function toData(type: RecordType, value: string): string {
  switch (type) {
    case 'A':
      return isIPv4(value) ? value : refuse(type, value);
    case 'AAAA':
      return isIPv6(value) ? value : refuse(type, value);
    case 'CNAME':
      return /^[^\s"]+$/.test(value) ? absolute(value) : refuse(type, value);
    case 'SRV': {
      const [, numbers, host] = /^(\d+ \d+ \d+) ([^\s"]+)$/.exec(value) ?? [];
      return numbers === undefined || host === undefined ? refuse(type, value) : `${numbers} ${absolute(host)}`;
    }
    case 'TXT':
      return strings(Buffer.from(value)).map(quoted).join(' ');
  }
}

/** What people write: without the last dot, and the bare text. */
export function fromData(type: RecordType, data: string): string {
  if (type === 'TXT') return Buffer.concat([...data.matchAll(STRING)].map(unquoted)).toString();
  return data.replace(/\.$/, '');
}

/** Whether two values mean the same: names know no case, and an address has several notations. */
export function isSameData(type: RecordType, one: string, other: string): boolean {
  if (type === 'TXT') return fromData(type, one) === fromData(type, other);
  return plain(type, one) === plain(type, other);
}

/** A name to its last dot. */
export function absolute(name: string): string {
  return name.endsWith('.') ? name : `${name}.`;
}

function plain(type: RecordType, data: string): string {
  return type === 'AAAA' ? new URL(`http://[${data}]`).hostname : data.toLowerCase();
}

function strings(bytes: Buffer): Buffer[] {
  if (bytes.length === 0) return [bytes];
  const count = Math.ceil(bytes.length / LONGEST_STRING_BYTES);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * LONGEST_STRING_BYTES, (index + 1) * LONGEST_STRING_BYTES),
  );
}

/** Bytes beyond plain ASCII as three digits each: a character may be cut between two strings. */
function quoted(bytes: Buffer): string {
  const characters = [...bytes].map((byte) => {
    if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`;
  });
  return `"${characters.join('')}"`;
}

function unquoted([, inQuotes, bare]: RegExpExecArray): Buffer {
  const bytes: number[] = [];
  const text = Buffer.from(inQuotes ?? bare ?? '');
  for (let at = 0; at < text.length; at++) {
    const digits = /^\\(\d{3})/.exec(text.toString('latin1', at, at + 4))?.[1];
    if (digits !== undefined) {
      bytes.push(Number(digits) & 0xff);
      at += 3;
    } else bytes.push(text[at] === 0x5c ? text[++at]! : text[at]!);
  }
  return Buffer.from(bytes);
}

function refuse(type: RecordType, value: string): never {
  throw new HoldfastError('bad-usage', `${JSON.stringify(value)} is no value of a record of type ${type}`, {
    hint: 'Write it as a zone file has it.',
  });
}
