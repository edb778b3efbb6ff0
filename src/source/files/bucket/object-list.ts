import { byteStringOfText } from '../../../format/index.ts';
import { HoldfastError, messageOf } from '../../../foundation/errors.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { BucketObject, ObjectHeaders } from '../../../store/index.ts';

/** Of a snapshot's root directory: the objects by their keys, or where that cannot be, by the SHA-256 of their keys. */
export const DATA_DIRECTORY = 'data';
export const RENAMED_DIRECTORY = 'renamed';
/** Beside them: what the objects were stored with, a line of JSON each, in the order of the bytes of their keys. */
export const LIST_NAME = 'objects.jsonl';

/** One line of the list. */
export interface ListedObject {
  key: string;
  size: number;
  /** RFC 3339. */
  modified: string;
  version: string;
  headers: ObjectHeaders;
}

export function lineOf({ key, sizeBytes, modifiedMs, version }: BucketObject, headers: ObjectHeaders): ListedObject {
  return { key, size: sizeBytes, modified: new Date(modifiedMs).toISOString(), version, headers };
}

const NEWLINE = 0x0a;

/** The list of a snapshot; nothing where it has none. @throws repository-damaged */
export async function* readList(reader: SnapshotReader): AsyncGenerator<ListedObject> {
  const node = await reader.find(`/${LIST_NAME}`);
  if (node === undefined) return;
  let rest = Buffer.alloc(0);
  for await (const chunk of reader.read(node)) {
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      yield parseLine(bytes.subarray(start, end).toString(), reader);
      start = end + 1;
    }
    rest = bytes.subarray(start);
  }
}

function parseLine(line: string, reader: SnapshotReader): ListedObject {
  try {
    return JSON.parse(line) as ListedObject;
  } catch (cause) {
    throw new HoldfastError(
      'repository-damaged',
      `the list of objects in snapshot ${reader.id.slice(0, 8)} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** Finds in a list what keys have that come in the order of their bytes, each of which is asked for once. */
export class ListFinder {
  readonly #lines: AsyncGenerator<ListedObject>;
  #next: Promise<IteratorResult<ListedObject>> | undefined;

  constructor(lines: AsyncGenerator<ListedObject>) {
    this.#lines = lines;
  }

  async find(key: string): Promise<ListedObject | undefined> {
    const wanted = byteStringOfText(key);
    for (;;) {
      this.#next ??= this.#lines.next();
      const { value, done } = await this.#next;
      if (done) return undefined;
      const found = byteStringOfText(value.key);
      if (found > wanted) return undefined;
      this.#next = undefined;
      if (found === wanted) return value;
    }
  }

  /** Ends reading. */
  async close(): Promise<void> {
    await this.#lines.return(undefined);
  }
}

const LONGEST_NAME_BYTES = 255;
const LONGEST_PATH_BYTES = 3000;

/** A key's parts as names of a path, byte strings; undefined where no path can be made of them that leads back to the key. */
export function pathOfKey(key: string): string[] | undefined {
  const bytes = byteStringOfText(key);
  const parts = bytes.split('/');
  const isName = (part: string): boolean =>
    part !== '' && part !== '.' && part !== '..' && part.length <= LONGEST_NAME_BYTES && !part.includes('\0');
  return bytes.length <= LONGEST_PATH_BYTES && parts.every(isName) ? parts : undefined;
}

/** Whether a pattern means a key, or what would be a directory that it is in. */
export function isKeyExcluded(key: string, isExcluded: (path: string) => boolean): boolean {
  let path = '';
  for (const part of byteStringOfText(key).split('/')) {
    if (part === '') continue;
    path += `/${part}`;
    if (isExcluded(path)) return true;
  }
  return false;
}
