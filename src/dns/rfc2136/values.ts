/** The values of records, as text and as they stand in messages. Sources: RFC 1035, section 3; RFC 3596; RFC 2782. */
import { isIPv4, isIPv6 } from 'node:net';
import { HoldfastError } from '../../foundation/errors.ts';
import type { RecordType } from '../dns.ts';
import { decodeName, encodeName } from './names.ts';

const LONGEST_STRING_BYTES = 255;
const LONGEST_TEXT_BYTES = 4_000;

/** @throws bad-usage */
export function encodeValue(type: RecordType, value: string): Buffer {
  switch (type) {
    case 'A':
      if (!isIPv4(value)) throw noValue(type, value, 'An address such as 192.0.2.1 is meant.');
      return Buffer.from(value.split('.').map(Number));
    case 'AAAA':
      if (!isIPv6(value) || value.includes('%')) throw noValue(type, value, 'An address such as 2001:db8::1 is meant.');
      return encodeIPv6(value);
    case 'CNAME':
      return encodeName(value);
    case 'TXT':
      return encodeText(value);
    case 'SRV': {
      const match = /^(\d{1,5}) (\d{1,5}) (\d{1,5}) (\S+)$/.exec(value);
      const numbers = match?.slice(1, 4).map(Number) ?? [];
      if (match === null || numbers.some((number) => number > 0xffff)) {
        throw noValue(type, value, 'Priority, weight, port and name are meant: 10 5 5432 db-eu.omni.example.');
      }
      const head = Buffer.alloc(6);
      numbers.forEach((number, index) => void head.writeUInt16BE(number, index * 2));
      return Buffer.concat([head, encodeName(match[4]!)]);
    }
  }
}

/** The value in a message from `start` to `end`, whose names may be compressed. @throws RangeError */
export function decodeValue(type: RecordType, message: Buffer, { start, end }: { start: number; end: number }): string {
  const data = message.subarray(start, end);
  switch (type) {
    case 'A':
      if (data.length !== 4) throw new RangeError('an address of another length');
      return data.join('.');
    case 'AAAA':
      if (data.length !== 16) throw new RangeError('an address of another length');
      return decodeIPv6(data);
    case 'CNAME':
      return decodeName(message, start).name;
    case 'TXT':
      return decodeText(data);
    case 'SRV':
      return `${[0, 2, 4].map((at) => data.readUInt16BE(at)).join(' ')} ${decodeName(message, start + 6).name}`;
  }
}

/** A value in the one form in which values are compared and shown. @throws bad-usage */
export function plainValue(type: RecordType, value: string): string {
  const encoded = encodeValue(type, value);
  return decodeValue(type, encoded, { start: 0, end: encoded.length });
}

function encodeText(value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length > LONGEST_TEXT_BYTES) throw noValue('TXT', `${value.slice(0, 20)}…`, 'It is too long.');
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += LONGEST_STRING_BYTES) {
    const part = bytes.subarray(at, at + LONGEST_STRING_BYTES);
    parts.push(Buffer.of(part.length), part);
  }
  return Buffer.concat(parts);
}

function decodeText(data: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    const length = data.readUInt8(at);
    if (at + 1 + length > data.length) throw new RangeError('a text beyond the end');
    parts.push(data.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return Buffer.concat(parts).toString();
}

function encodeIPv6(value: string): Buffer {
  // The platform writes an address in one way only, the last four bytes in hexadecimal as well.
  const [before = '', behind] = new URL(`http://[${value}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string | undefined): number[] =>
    text === undefined || text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const [head, tail] = [groups(before), groups(behind)];
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  const bytes = Buffer.alloc(16);
  [...head, ...zeros, ...tail].forEach((group, index) => void bytes.writeUInt16BE(group, index * 2));
  return bytes;
}

function decodeIPv6(data: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => data.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function noValue(type: RecordType, value: string, hint: string): HoldfastError {
  return new HoldfastError('bad-usage', `${JSON.stringify(value)} is no value of a record of type ${type}`, { hint });
}
