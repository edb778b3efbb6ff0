/**
 * One document as one line of a snapshot:
 *
 *     {"createTime":"…","fields":{…},"name":"documents/companies/acme","updateTime":"…"}
 *
 * Keys are in the order of their bytes and nothing is between them, so that equal documents are equal bytes.
 */
import { isRelativeName, relativeName } from './names.ts';
import {
  damaged,
  decodeFields,
  decodeTimestamp,
  encodeFields,
  encodeText,
  encodeTimestamp,
  type RawTimestamp,
  type RawValue,
} from './values.ts';

/** A `google.firestore.v1.Document` as the low-level client has it. */
export interface RawDocument {
  /** `projects/P/databases/D/documents/…` */
  name?: string | null;
  fields?: Record<string, RawValue> | null;
  createTime?: RawTimestamp | null;
  updateTime?: RawTimestamp | null;
}

/** A document that is to be written. Nobody can set its times. */
export interface DecodedDocument {
  name: string;
  fields: Record<string, RawValue>;
}

const TIME_BEFORE = /^\{"createTime":"[^"]*",/;
/* No text can hold these: in a text, quotes are escaped. */
const TIME_AFTER = ',"updateTime":"';
const NAME_BEFORE = ',"name":"';

/**
 * @param database as `databaseName` gives it, of which the document is
 * @returns the line without its newline
 * @throws source-unsupported
 */
export function encodeDocument(document: RawDocument, database: string): string {
  const [createTime, updateTime] = [document.createTime, document.updateTime].map((time) =>
    encodeTimestamp(time ?? {}),
  );
  const body = encodeBody(document, database);
  return `{"createTime":${createTime},${body.slice(1, -1)},"updateTime":${updateTime}}`;
}

/** What is the same in every database that the document is restored to: its line without the times. @throws source-unsupported */
export function encodeBody({ name, fields }: RawDocument, database: string): string {
  return `{"fields":${encodeFields(fields, database)},"name":${encodeText(relativeName(name ?? '', database))}}`;
}

/** As `encodeBody`, of a line. @throws archive-damaged where it does not have the shape of one */
export function bodyOf(line: string): string {
  const before = TIME_BEFORE.exec(line)?.[0];
  const after = line.lastIndexOf(TIME_AFTER);
  if (before === undefined || after < before.length) throw damaged('a line has no times');
  return `{${line.slice(before.length, after)}}`;
}

/** The relative name of a line's document, without a look at its fields. @throws archive-damaged */
export function nameOf(line: string): string {
  const after = line.lastIndexOf(TIME_AFTER);
  const before = line.lastIndexOf(NAME_BEFORE, after);
  let name: unknown;
  try {
    name = before < 0 ? undefined : JSON.parse(line.slice(before + NAME_BEFORE.length - 1, after));
  } catch {
    throw damaged('its name is no JSON');
  }
  if (typeof name !== 'string' || !isRelativeName(name)) throw damaged('it has no name of a document');
  return name;
}

/**
 * @param database that the document goes to
 * @throws archive-damaged
 */
export function decodeDocument(line: string, database: string): DecodedDocument {
  const { name, fields, createTime, updateTime } = parseLine(line);
  decodeTimestamp(createTime);
  decodeTimestamp(updateTime);
  return { name: `${database}/${name}`, fields: decodeFields(fields, database) };
}

function parseLine(line: string): { name: string; fields: unknown; createTime: unknown; updateTime: unknown } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw damaged('a line is no JSON');
  }
  const keys = typeof parsed === 'object' && parsed !== null ? Object.keys(parsed).sort().join() : '';
  if (keys !== 'createTime,fields,name,updateTime') {
    throw damaged('a line does not have just createTime, fields, name and updateTime');
  }
  const { name } = parsed as { name: unknown };
  if (typeof name !== 'string' || !isRelativeName(name)) throw damaged('it has no name of a document');
  return parsed as ReturnType<typeof parseLine>;
}
