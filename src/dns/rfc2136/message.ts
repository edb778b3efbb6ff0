/**
 * Messages of DNS, as far as updates need them. Sources: RFC 1035, section 4; RFC 2136, sections 2 and 3.
 *
 * The packages that there are know neither the class NONE, which a prerequisite is made of, nor where a record begins, which
 * a signature is computed from.
 */
import { decodeName, encodeName } from './names.ts';

export const TYPES = { A: 1, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, SRV: 33, TSIG: 250 } as const;
export const CLASS = { IN: 1, NONE: 254, ANY: 255 } as const;
export const OPCODE = { QUERY: 0, UPDATE: 5 } as const;
const HEADER_BYTES = 12;
const QUERY_MARK = 0x8000;
const AUTHORITATIVE = 0x0400;

/** A record as it is sent. */
export interface WireRecord {
  name: string;
  type: number;
  class: number;
  ttlSeconds: number;
  data: Buffer;
}

/** A record as it was received, with where it and its value lie in the message. */
export interface ReceivedRecord {
  name: string;
  type: number;
  class: number;
  ttlSeconds: number;
  at: number;
  start: number;
  end: number;
}

export interface Request {
  id: number;
  opcode: number;
  /** What is asked for; of an update the zone, with the type SOA. */
  question: { name: string; type: number };
  /** Of an update: what must be so. */
  prerequisites?: readonly WireRecord[];
  updates?: readonly WireRecord[];
}

export interface Answer {
  id: number;
  opcode: number;
  isAnswer: boolean;
  isAuthoritative: boolean;
  isTruncated: boolean;
  code: number;
  answers: ReceivedRecord[];
  authorities: ReceivedRecord[];
  additionals: ReceivedRecord[];
}

export function encodeRequest({ id, opcode, question, prerequisites = [], updates = [] }: Request): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(opcode << 11, 2);
  [1, prerequisites.length, updates.length, 0].forEach(
    (count, index) => void header.writeUInt16BE(count, 4 + index * 2),
  );
  const asked = Buffer.concat([encodeName(question.name), uint16(question.type), uint16(CLASS.IN)]);
  return Buffer.concat([header, asked, ...[...prerequisites, ...updates].map(encodeRecord)]);
}

export function encodeRecord({ name, type, class: klass, ttlSeconds, data }: WireRecord): Buffer {
  return Buffer.concat([encodeName(name), uint16(type), uint16(klass), uint32(ttlSeconds), uint16(data.length), data]);
}

/** @throws RangeError where it is no whole message */
export function decodeAnswer(message: Buffer): Answer {
  const flags = message.readUInt16BE(2);
  const counts = [4, 6, 8, 10].map((at) => message.readUInt16BE(at));
  let at = HEADER_BYTES;
  for (let left = counts[0]!; left > 0; left--) at = decodeName(message, at).end + 4;
  const records = (count: number): ReceivedRecord[] =>
    Array.from({ length: count }, () => {
      const record = decodeRecord(message, at);
      at = record.end;
      return record;
    });
  const [answers, authorities, additionals] = [records(counts[1]!), records(counts[2]!), records(counts[3]!)];
  if (at !== message.length) throw new RangeError('something behind the last record');
  return {
    ...{ id: message.readUInt16BE(0), opcode: (flags >> 11) & 0xf, isAnswer: (flags & QUERY_MARK) !== 0 },
    ...{ isAuthoritative: (flags & AUTHORITATIVE) !== 0, isTruncated: (flags & 0x0200) !== 0, code: flags & 0xf },
    ...{ answers, authorities, additionals },
  };
}

function decodeRecord(message: Buffer, at: number): ReceivedRecord {
  const { name, end: head } = decodeName(message, at);
  const start = head + 10;
  const end = start + message.readUInt16BE(head + 8);
  if (end > message.length) throw new RangeError('a record beyond the end');
  return {
    ...{ name, type: message.readUInt16BE(head), class: message.readUInt16BE(head + 2) },
    ...{ ttlSeconds: message.readUInt32BE(head + 4), at, start, end },
  };
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
