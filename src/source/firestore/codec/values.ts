/**
 * Values of Firestore: as the low-level client gives and takes them, and as a snapshot has them, which is the JSON of
 * Firestore's REST interface with its keys in the order of their bytes.
 *
 * Source: Google, google/firestore/v1/document.proto; "ProtoJSON Format".
 */
import { HoldfastError } from '../../../foundation/errors.ts';
import { absoluteName, compareText, relativeName } from './names.ts';

/**
 * A `google.firestore.v1.Value` as the client has it. `integerValue` is text, a Long or a number; `nullValue` whatever
 * stands for it.
 */
export interface RawValue {
  valueType?: string;
  nullValue?: unknown;
  booleanValue?: boolean | null;
  integerValue?: unknown;
  doubleValue?: number | null;
  timestampValue?: RawTimestamp | null;
  stringValue?: string | null;
  bytesValue?: Uint8Array | string | null;
  referenceValue?: string | null;
  geoPointValue?: { latitude?: number | null; longitude?: number | null } | null;
  arrayValue?: { values?: RawValue[] | null } | null;
  mapValue?: { fields?: Record<string, RawValue> | null } | null;
}

export interface RawTimestamp {
  /** Text, a Long or a number. */
  seconds?: unknown;
  nanos?: number | null;
}

/** Firestore allows 20; this keeps what is hostile from exhausting the stack. */
const MAX_DEPTH = 64;
const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;
const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 63n - 1n;
const MIN_SECONDS = -62_135_596_800;
const MAX_SECONDS = 253_402_300_799;
const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/;
const PLAIN_TEXT = /^[ !#-[\]-~]*$/;

/* From the client to JSON */

/**
 * @param database as `databaseName` gives it: references into it become relative
 * @throws source-unsupported for a kind of value that this version does not know: it would be lost
 */
export function encodeValue(value: RawValue, database: string, depth = 0): string {
  if (depth > MAX_DEPTH) throw unsupported(`it is nested deeper than ${MAX_DEPTH} levels`);
  const kind = kindOf(value);
  return `{"${kind}":${encodeContent(kind, value, database, depth)}}`;
}

/** The members of a map or a document, in the order of their keys' bytes. @throws as `encodeValue` */
export function encodeFields(fields: Record<string, RawValue> | null | undefined, database: string, depth = 0): string {
  const names = Object.keys(fields ?? {}).sort(compareText);
  return `{${names.map((name) => `${encodeText(name)}:${encodeValue(fields![name]!, database, depth)}`).join(',')}}`;
}

function kindOf(value: RawValue): Kind {
  const set = KINDS.find((each) => value[each] !== undefined && value[each] !== null);
  const kind = value.valueType ?? set ?? ('nullValue' in value ? 'nullValue' : undefined);
  if (KINDS.includes(kind as Kind)) return kind as Kind;
  throw unsupported(kind === undefined ? 'it has no kind that is known' : `it is of the kind ${kind}`);
}

function encodeContent(kind: Kind, value: RawValue, database: string, depth: number): string {
  switch (kind) {
    case 'nullValue':
      return 'null';
    case 'booleanValue':
      return String(value.booleanValue === true);
    case 'integerValue':
      return `"${encodeInteger(value.integerValue)}"`;
    case 'doubleValue':
      return encodeDouble(value.doubleValue ?? 0);
    case 'timestampValue':
      return encodeTimestamp(value.timestampValue ?? {});
    case 'stringValue':
      return encodeText(value.stringValue ?? '');
    case 'bytesValue':
      return `"${encodeBytes(value.bytesValue ?? '')}"`;
    case 'referenceValue':
      return encodeText(relativeName(value.referenceValue ?? '', database));
    case 'geoPointValue': {
      const { latitude, longitude } = value.geoPointValue ?? {};
      return `{"latitude":${encodeDouble(latitude ?? 0)},"longitude":${encodeDouble(longitude ?? 0)}}`;
    }
    case 'arrayValue': {
      const values = value.arrayValue?.values ?? [];
      return `{"values":[${values.map((each) => encodeValue(each, database, depth + 1)).join(',')}]}`;
    }
    case 'mapValue':
      return `{"fields":${encodeFields(value.mapValue?.fields, database, depth + 1)}}`;
  }
}

function encodeInteger(value: unknown): string {
  const text = String(value);
  if (!isInteger(text)) throw unsupported(`${text} is not an integer of 64 bits`);
  return text;
}

function isInteger(text: string): boolean {
  if (!INTEGER.test(text)) return false;
  return text.length < 19 || (BigInt(text) >= MIN_INTEGER && BigInt(text) <= MAX_INTEGER);
}

/** What JSON has no number for is text. The zero below zero is written so that no reader takes it for an integer. */
function encodeDouble(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0.0' : String(value);
  return `"${value}"`;
}

/** RFC 3339 in UTC with 0, 3, 6 or 9 digits behind the second. @throws source-unsupported beyond the years 1 to 9999 */
export function encodeTimestamp({ seconds, nanos }: RawTimestamp): string {
  const [whole, fraction] = [Number(String(seconds ?? 0)), nanos ?? 0];
  const isFitting = Number.isInteger(whole) && whole >= MIN_SECONDS && whole <= MAX_SECONDS;
  if (!isFitting || !Number.isInteger(fraction) || fraction < 0 || fraction > 999_999_999) {
    throw unsupported(`${whole} s and ${fraction} ns are no time between the years 1 and 9999`);
  }
  const digits = String(fraction)
    .padStart(9, '0')
    .replace(/(?:000){1,3}$/, '');
  return `"${new Date(whole * 1000).toISOString().slice(0, 19)}${digits === '' ? '' : `.${digits}`}Z"`;
}

function encodeBytes(value: Uint8Array | string): string {
  if (typeof value === 'string') return value;
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
}

export function encodeText(text: string): string {
  return PLAIN_TEXT.test(text) ? `"${text}"` : JSON.stringify(text);
}

function unsupported(why: string): HoldfastError {
  return new HoldfastError('source-unsupported', `a value cannot be captured: ${why}`, {
    hint: 'A newer version of Holdfast may know it.',
  });
}

/* From JSON to the client */

/**
 * @param json a parsed value of a snapshot
 * @param database that it goes to: relative references lead into it
 * @throws archive-damaged
 */
export function decodeValue(json: unknown, database: string, depth = 0): RawValue {
  if (depth > MAX_DEPTH) throw damaged(`a value is nested deeper than ${MAX_DEPTH} levels`);
  const members = membersOf(json, 'a value');
  const kind = members.length === 1 ? members[0]![0] : undefined;
  const decode = kind !== undefined && Object.hasOwn(DECODERS, kind) ? DECODERS[kind as Kind] : undefined;
  if (decode === undefined) throw damaged(`a value has not one known kind but ${JSON.stringify(Object.keys(json!))}`);
  return { valueType: kind!, [kind!]: decode(members[0]![1], database, depth) };
}

/** @throws archive-damaged */
export function decodeFields(json: unknown, database: string, depth = 0): Record<string, RawValue> {
  return Object.fromEntries(
    membersOf(json, 'the fields').map(([name, value]) => {
      // The client would set the prototype of its object, and write nothing.
      if (name === '__proto__') throw damaged('a field is named __proto__, which Firestore reserves');
      return [decodeText(name), decodeValue(value, database, depth)];
    }),
  );
}

type Decoder = (json: unknown, database: string, depth: number) => unknown;

const DECODERS = {
  nullValue: (json) => {
    if (json !== null) throw damaged('a null is none');
    return 'NULL_VALUE';
  },
  booleanValue: (json) => {
    if (typeof json !== 'boolean') throw damaged('a boolean is none');
    return json;
  },
  integerValue: (json) => {
    if (typeof json !== 'string' || !isInteger(json)) throw damaged('an integer of 64 bits is none');
    return json;
  },
  doubleValue: decodeDouble,
  timestampValue: (json) => decodeTimestamp(json),
  stringValue: decodeText,
  bytesValue: (json) => {
    const bytes = typeof json === 'string' ? Buffer.from(json, 'base64') : undefined;
    if (bytes === undefined || bytes.toString('base64') !== json) throw damaged('bytes are not in base64');
    return bytes;
  },
  referenceValue: (json, database) => absoluteName(decodeText(json), database),
  geoPointValue: (json) => {
    const { latitude, longitude } = exactly(json, ['latitude', 'longitude'], 'a point');
    return { latitude: decodeDouble(latitude), longitude: decodeDouble(longitude) };
  },
  arrayValue: (json, database, depth) => {
    const { values } = exactly(json, ['values'], 'an array');
    if (!Array.isArray(values)) throw damaged('an array has no list of values');
    return { values: values.map((value) => decodeValue(value, database, depth + 1)) };
  },
  mapValue: (json, database, depth) => {
    const { fields } = exactly(json, ['fields'], 'a map');
    return { fields: decodeFields(fields, database, depth + 1) };
  },
} as const satisfies Partial<Record<keyof RawValue, Decoder>>;

type Kind = keyof typeof DECODERS;
const KINDS = Object.keys(DECODERS) as readonly Kind[];

function decodeDouble(json: unknown): number {
  if (typeof json === 'number' && Number.isFinite(json)) return json;
  if (json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json);
  throw damaged('a double is none');
}

/** @throws archive-damaged */
export function decodeTimestamp(json: unknown): { seconds: number; nanos: number } {
  const match = typeof json === 'string' ? TIMESTAMP.exec(json) : null;
  const [, text = '', digits = ''] = match ?? [];
  const timeMs = Date.parse(`${text}Z`);
  // A day that a month does not have is taken for one of the next month.
  if (Number.isNaN(timeMs) || new Date(timeMs).toISOString().slice(0, 19) !== text || timeMs < MIN_SECONDS * 1000) {
    throw damaged('a time is none');
  }
  return { seconds: timeMs / 1000, nanos: Number(digits.padEnd(9, '0')) };
}

function decodeText(json: unknown): string {
  if (typeof json !== 'string') throw damaged('a text is none');
  if (!json.isWellFormed()) throw damaged('a text is not Unicode');
  return json;
}

function exactly<Key extends string>(json: unknown, keys: readonly Key[], what: string): Record<Key, unknown> {
  const members = membersOf(json, what);
  if (members.length !== keys.length || !members.every(([key]) => keys.includes(key as Key))) {
    throw damaged(`${what} does not have just ${keys.join(' and ')}`);
  }
  return json as Record<Key, unknown>;
}

function membersOf(json: unknown, what: string): [string, unknown][] {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return Object.entries(json);
  throw damaged(`${what} is no object`);
}

export function damaged(why: string): HoldfastError {
  return new HoldfastError('archive-damaged', `a document in the snapshot cannot be read: ${why}`, {
    hint: 'Check the repository with `holdfast check --read-data`; if it is sound, another program changed what Holdfast captured.',
  });
}
