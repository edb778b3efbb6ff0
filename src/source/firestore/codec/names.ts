/**
 * Names of documents. In a database a document is `projects/P/databases/D/documents/companies/acme`; in a snapshot it is
 * `documents/companies/acme`, which is the same in every database that it is restored to.
 */
import { HoldfastError } from '../../../foundation/errors.ts';

/** What names in a snapshot begin with. */
const DOCUMENTS = 'documents/';
const FULL_NAME = /^projects\/[^/]+\/databases\/[^/]+\/documents(?:\/[^/]+\/[^/]+)+$/;
const RELATIVE_NAME = /^documents(?:\/[^/]+\/[^/]+)+$/;
const NUMERIC_ID = /^__id(-?\d+)__$/;
/** Of an id of a collection or document, by Firestore's limits. */
const MAX_ID_BYTES = 1500;

/** `projects/P/databases/D`: what a snapshot's names are relative to. */
export function databaseName(project: string, database: string): string {
  return `projects/${project}/databases/${database}`;
}

/**
 * @param database as `databaseName` gives it
 * @returns the name as a snapshot has it; a name in another database stays as it is
 * @throws source-unsupported where it is no name of a document
 */
export function relativeName(name: string, database: string): string {
  if (!FULL_NAME.test(name)) {
    throw new HoldfastError('source-unsupported', 'a name is not that of a document', { context: { name } });
  }
  const isOwn = name.startsWith(`${database}/${DOCUMENTS}`);
  return isOwn ? name.slice(database.length + 1) : name;
}

/** The name that a snapshot's name has in that database. @throws archive-damaged where it is none */
export function absoluteName(name: string, database: string): string {
  if (isRelativeName(name)) return `${database}/${name}`;
  if (FULL_NAME.test(name)) return name;
  throw new HoldfastError('archive-damaged', 'a name in the snapshot is not that of a document', { context: { name } });
}

export function isRelativeName(name: string): boolean {
  return (
    RELATIVE_NAME.test(name) &&
    name.isWellFormed() &&
    name.split('/').every((id) => id !== '.' && id !== '..' && Buffer.byteLength(id) <= MAX_ID_BYTES)
  );
}

/** The path below the database's documents, by which people name one: `companies/acme`. */
export function pathOf(relative: string): string {
  return relative.slice(DOCUMENTS.length);
}

// The collection that a document is in, with `*` for the documents that lead to it: `companies`, `companies/*/deals`. There
// are as many as a database has kinds of collections, however many documents it has.
export function collectionOf(relative: string): string {
  const ids = relative.split('/');
  const collections: string[] = [];
  for (let at = 1; at < ids.length; at += 2) collections.push(ids[at]!);
  return collections.join('/*/');
}

/** The order in which Firestore lists documents by name, and in which a snapshot has them. Both names are relative. */
export function compareNames(left: string, right: string): number {
  if (left === right) return 0;
  const [lefts, rights] = [left.split('/'), right.split('/')];
  for (let at = 0; at < Math.min(lefts.length, rights.length); at++) {
    const order = compareIds(lefts[at]!, rights[at]!);
    if (order !== 0) return order;
  }
  return lefts.length - rights.length;
}

/** Numeric ids, which are written `__id7__`, come first and by their number; the others follow bytewise. */
function compareIds(left: string, right: string): number {
  if (left === right) return 0;
  const [leftNumber, rightNumber] = [numberOf(left), numberOf(right)];
  if (leftNumber !== undefined && rightNumber !== undefined && leftNumber !== rightNumber) {
    return leftNumber < rightNumber ? -1 : 1;
  }
  if (leftNumber !== undefined && rightNumber === undefined) return -1;
  if (leftNumber === undefined && rightNumber !== undefined) return 1;
  return compareText(left, right);
}

function numberOf(id: string): bigint | undefined {
  const digits = id.startsWith('__id') ? NUMERIC_ID.exec(id)?.[1] : undefined;
  return digits === undefined ? undefined : BigInt(digits);
}

/** The order of the texts' bytes in UTF-8, which is not that of JavaScript where one is outside of Unicode's first plane. */
export function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const [a, b] = [left.charCodeAt(at), right.charCodeAt(at)];
    if (a === b) continue;
    const isEitherSurrogate = (a & 0xf800) === 0xd800 || (b & 0xf800) === 0xd800;
    return isEitherSurrogate ? rank(a) - rank(b) : a - b;
  }
  return left.length - right.length;
}

/** Surrogates stand for what comes after everything that is one unit. */
function rank(unit: number): number {
  return (unit & 0xf800) === 0xd800 ? unit + 0x10000 : unit;
}
