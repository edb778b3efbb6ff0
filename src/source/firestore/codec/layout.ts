/** What lies where in a snapshot of a Firestore database. */
import { hash } from 'node:crypto';

/**
 * Below `/data` and in it a directory for each collection at the top (`collectionDirectory`), with files of lines (`document-line.ts`) of
 * all documents in it and below it. Files in the order of their names, and the lines in each, are in the order of
 * `compareNames`; each line ends with a newline.
 */
export const DOCUMENTS_DIRECTORY = 'documents';
/** Composite indexes and exemptions of fields, as Firebase's tools deploy them, under `/data`; where they could be read. */
export const INDEXES_FILE = 'firestore.indexes.json';
/** The rules, as Firebase's tools deploy them, beside it. */
export const RULES_FILE = 'firestore.rules';

const MAX_NAME_BYTES = 200;

/** The name of a collection's file, in the order of their numbers. */
export function partName(number: number): string {
  return `${String(number).padStart(8, '0')}.jsonl`;
}

/**
 * The name of a collection's directory: its id where that is plain, else with `%XX` for other bytes, and a hash at the
 * end where that would be too long. What is in it says itself which documents it is.
 */
export function collectionDirectory(collection: string): string {
  const escaped = [...Buffer.from(collection)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[\w-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    })
    .join('');
  if (escaped.length <= MAX_NAME_BYTES) return escaped;
  return `${escaped.slice(0, MAX_NAME_BYTES - 33)}~${hash('sha256', collection).slice(0, 32)}`;
}
