import { hash } from 'node:crypto';
import { encodeFileTree } from '../../format/index.ts';
import type { ExtendedAttribute } from '../../foundation/extended-attributes.ts';
import { STATUS_WORDS } from '../../foundation/file-status.ts';

/** Small files, for a worker to open, read, cut and store by itself: one after the other, since each alone is not worth a message. */
export interface FileBatch {
  number: number;
  count: number;
  /** Each ended by a NUL. */
  paths: Uint8Array;
  /** The id of the tree that they made before, where they are all that a directory has, in the order of their names. */
  tree?: string;
}

/** What became of a file of a batch. */
export const OUTCOMES = ['failed', 'other', 'large', 'read', 'changed'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface Failure {
  message: string;
  code: string | undefined;
  syscall: string;
}

/** What became of the files of a batch, in its order. */
export interface StoredBatch {
  number: number;
  /** How many of its files were looked at, from the first on: the others are to be handed out again. */
  count: number;
  /** Places in OUTCOMES. */
  outcomes: Uint8Array;
  /** The ids of their blobs, 32 bytes each, and how many of them each file has. */
  ids: Uint8Array;
  blobCounts: Uint32Array;
  sizesBytes: Float64Array;
  /** What the system said of each before it was read: a record of `STATUS_WORDS` for each. */
  status: Uint32Array;
  /** By their places in the batch: the attributes of those that have any, or why these could not be read. */
  attributes: Map<number, readonly ExtendedAttribute[] | Failure>;
  /** By their places, why a file could not be read. */
  failures: Map<number, Failure>;
  fresh: { blobs: number; bytes: number; storedBytes: number };
  /** They make the tree that they made before: only their sizes are told besides. */
  isSameTree: boolean;
}

/** Before anything is read. */
export function emptyBatch({ number, count }: Pick<FileBatch, 'number' | 'count'>): StoredBatch {
  return {
    number,
    count: 0,
    outcomes: new Uint8Array(count),
    ids: new Uint8Array(0),
    blobCounts: new Uint32Array(count),
    sizesBytes: new Float64Array(count),
    status: new Uint32Array(count * STATUS_WORDS),
    attributes: new Map(),
    failures: new Map(),
    fresh: { blobs: 0, bytes: 0, storedBytes: 0 },
    isSameTree: false,
  };
}

/** Of which nothing more needs to be told. */
export function withoutFiles({ number, count, sizesBytes, fresh }: StoredBatch): StoredBatch {
  return { ...emptyBatch({ number, count: 0 }), count, sizesBytes, fresh, isSameTree: true };
}

/** Whether a batch of all files of a directory makes the tree that they made before: then nothing about it has changed. */
export function makesTree({ tree, paths }: FileBatch, stored: StoredBatch): boolean {
  if (tree === undefined || stored.attributes.size > 0) return false;
  // What nobody has looked at counts as failed.
  if (!stored.outcomes.every((outcome) => OUTCOMES[outcome] === 'read')) return false;
  return hash('sha256', encodeFileTree({ ...stored, paths })) === tree;
}
