/** Names of documents, and the order that Firestore keeps them in. */

import { status } from '@grpc/grpc-js';

/** What the server answers instead of a result. */
export class Refusal extends Error {
  readonly code: status;

  constructor(code: status, details: string) {
    super(details);
    this.code = code;
  }

  /** As grpc-js wants it. */
  get details(): string {
    return this.message;
  }
}

export const invalid = (details: string): Refusal => new Refusal(status.INVALID_ARGUMENT, details);

const DATABASE_PATTERN = /^projects\/([^/]+)\/databases\/([^/]+)/;

/** `projects/P/databases/D` at the beginning of any resource's name. */
export function databaseNameOf(name: string): string {
  const match = DATABASE_PATTERN.exec(name);
  if (match === null) throw invalid(`Invalid resource name: "${name}".`);
  return match[0];
}

const ID_LIMIT_BYTES = 1500;
const NAME_LIMIT_BYTES = 6 * 1024;
const DEPTH_LIMIT = 100;
const NUMERIC_ID = /^__id(-?\d+)__$/;

/**
 * The parts of a document's path, or of the path of a document's parent, below `…/documents`: collection, document,
 * collection … None for the database itself.
 * @throws Refusal of a name that Firestore would not take
 */
export function partsOf(name: string): string[] {
  const prefix = `${databaseNameOf(name)}/documents`;
  if (name === prefix) return [];
  if (!name.startsWith(`${prefix}/`)) throw invalid(`Invalid resource name: "${name}".`);
  const parts = name.slice(prefix.length + 1).split('/');
  if (parts.length % 2 !== 0) throw invalid(`Document name "${name}" lacks "/" at the end, or names a collection.`);
  if (parts.length > DEPTH_LIMIT * 2) throw invalid('The path is nested too deep.');
  if (Buffer.byteLength(name) > NAME_LIMIT_BYTES) throw invalid('The document name is longer than 6144 bytes.');
  for (const part of parts) checkId(part);
  return parts;
}

/** @throws Refusal of an identifier that Firestore would not take */
export function checkId(id: string): void {
  if (id === '' || id === '.' || id === '..') throw invalid(`Resource id "${id}" is not allowed.`);
  if (/^__.*__$/s.test(id) && !NUMERIC_ID.test(id))
    throw invalid(`Resource id "${id}" is invalid because it is reserved.`);
  if (Buffer.byteLength(id) > ID_LIMIT_BYTES) throw invalid('Resource id is longer than 1500 bytes.');
  if (!id.isWellFormed()) throw invalid('Resource id is not valid UTF-8.');
}

/**
 * By parts; a shorter path first. Ids of the form `__id7__` stand before all others and are ordered as numbers; the rest
 * by the bytes of its UTF-8.
 */
export function compareParts(one: readonly string[], other: readonly string[]): number {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index++) {
    const order = compareIds(one[index]!, other[index]!);
    if (order !== 0) return order;
  }
  return one.length - other.length;
}

function compareIds(one: string, other: string): number {
  if (one === other) return 0;
  if (one.startsWith('__id') || other.startsWith('__id')) {
    const [oneNumber, otherNumber] = [one, other].map((id) => NUMERIC_ID.exec(id)?.[1]);
    if (oneNumber !== undefined && otherNumber !== undefined) return BigInt(oneNumber) < BigInt(otherNumber) ? -1 : 1;
    if (oneNumber !== undefined) return -1;
    if (otherNumber !== undefined) return 1;
  }
  return compareUtf8(one, other);
}

/** By the bytes of UTF-8, which is not JavaScript's order where there are surrogates. */
function compareUtf8(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let index = 0; index < length; index++) {
    const [left, right] = [one.charCodeAt(index), other.charCodeAt(index)];
    if (left === right) continue;
    const isLeftSurrogate = left >= 0xd800 && left <= 0xdfff;
    const isRightSurrogate = right >= 0xd800 && right <= 0xdfff;
    if (isLeftSurrogate !== isRightSurrogate) return isLeftSurrogate ? 1 : -1;
    return left - right;
  }
  return one.length - other.length;
}
