import { byteStringOfText, NamedPaths, pathMatcher, type TreeNode } from '../../../format/index.ts';
import { releaseBuffer } from '../../../foundation/buffers.ts';
import { HoldfastError } from '../../../foundation/errors.ts';
import { trimMemory } from '../../../foundation/posix.ts';
import type { Selection, SnapshotReader } from '../../../repository/index.ts';
import { readManifest } from '../../index.ts';
import { readFirestoreDetails } from '../codec/details.ts';
import { nameOf } from '../codec/document-line.ts';
import { DOCUMENTS_DIRECTORY } from '../codec/layout.ts';
import { compareNames, pathOf } from '../codec/names.ts';

const NEWLINE = 0x0a;
/** A document has a mebibyte at most; written out it has no more than this. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const PLAIN_NAME = /^[\w-]+$/;

/** A document of a snapshot: its line, and its name relative to the database. */
export interface StoredDocument {
  name: string;
  line: string;
}

/**
 * The documents of a snapshot that a selection means, in the order of `compareNames`, some at a time.
 * @throws repository-damaged, archive-damaged
 */
export async function* storedDocuments(
  reader: SnapshotReader,
  selection: Selection | undefined,
): AsyncGenerator<StoredDocument[]> {
  const isMeant = documentMatcher(selection);
  let last = '';
  for (const part of await partsOf(reader)) {
    for await (const lines of linesOf(reader.read(part))) {
      const documents = lines.map((line) => ({ name: nameOf(line), line }));
      for (const { name } of documents) {
        if (last !== '' && compareNames(last, name) >= 0) throw outOfOrder(name);
        last = name;
      }
      const meant = documents.filter(({ name }) => isMeant(name));
      if (meant.length > 0) yield meant;
    }
    trimMemory();
  }
}

/**
 * Sees that each pattern of a selection names a document of the snapshot: what is misspelt must not pass for restored.
 * @throws path-missing; repository-damaged, archive-damaged
 */
export async function refuseUnnamed(reader: SnapshotReader, { only, exclude = [] }: Selection = {}): Promise<void> {
  if (only === undefined) return;
  const named = new NamedPaths(only);
  for await (const documents of storedDocuments(reader, { exclude })) {
    for (const { name } of documents) for (const path of pathsTo(name)) named.has(path);
    if (named.areAllUsed) return;
  }
  named.refuseUnused(
    ['the snapshot'],
    'Write `--only` with the path of a collection or document from `/` on (`/companies/acme`), or with a name at any depth. `holdfast history` counts what there is.',
  );
}

/**
 * A test of a document's relative name, by patterns as `pathMatcher` takes them of its path: `/companies/acme` with all
 * that is below it, `deals` at any depth.
 */
export function documentMatcher({ only, exclude = [] }: Selection = {}): (name: string) => boolean {
  if (only === undefined && exclude.length === 0) return () => true;
  const isWanted = only === undefined ? () => true : pathMatcher(only);
  const isLeftOut = pathMatcher(exclude);
  return (name) => {
    const paths = pathsTo(name);
    return paths.some(isWanted) && !paths.some(isLeftOut);
  };
}

/** Whether a snapshot would have a document of that relative name: it is of chosen collections, or of what was asked for. */
export async function coverageOf(reader: SnapshotReader): Promise<(name: string) => boolean> {
  const { chosen } = await readFirestoreDetails(reader);
  const { only } = await readManifest(reader);
  const isSelected = documentMatcher(only && { only });
  return (name) => (chosen === undefined || chosen.includes(pathOf(name).split('/')[0]!)) && isSelected(name);
}

/** `/companies`, `/companies/acme` …, as byte strings: what is in something that is meant is meant as well. */
export function pathsTo(name: string): string[] {
  const ids = byteStringOfText(pathOf(name)).split('/');
  return ids.map((_, at) => `/${ids.slice(0, at + 1).join('/')}`);
}

async function partsOf(reader: SnapshotReader): Promise<TreeNode[]> {
  const directory = await reader.find(`/data/${DOCUMENTS_DIRECTORY}`);
  if (directory?.subtree === undefined) {
    throw new HoldfastError('repository-damaged', `snapshot ${reader.id.slice(0, 8)} has no documents`, {
      hint: 'Choose another snapshot of this source.',
    });
  }
  const collections = await Promise.all(
    (await reader.entries(directory.subtree)).map(async ({ name, subtree }) => {
      const parts = subtree === undefined ? [] : await reader.entries(subtree);
      return { first: await firstName(reader, name, parts), parts };
    }),
  );
  return collections.sort((left, right) => compareNames(left.first, right.first)).flatMap(({ parts }) => parts);
}

/** A name in the collection: of its directory's name where that is plain, else of its first document. */
async function firstName(reader: SnapshotReader, directory: string, parts: readonly TreeNode[]): Promise<string> {
  if (PLAIN_NAME.test(directory) || parts[0] === undefined) return `documents/${directory}`;
  for await (const [line] of linesOf(reader.read(parts[0]))) return nameOf(line!);
  return `documents/${directory}`;
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE);
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (end < 0) {
      rest = Buffer.concat([rest, bytes]);
      if (rest.length > MAX_LINE_BYTES) throw unended('longer than any document');
      continue;
    }
    const whole = rest.length === 0 ? bytes.subarray(0, end) : Buffer.concat([rest, bytes.subarray(0, end)]);
    const lines = whole.toString('utf8').split('\n');
    rest = Buffer.from(bytes.subarray(end + 1));
    releaseBuffer(chunk);
    yield lines;
  }
  if (rest.length > 0) throw unended('cut off');
}

function unended(why: string): HoldfastError {
  return new HoldfastError('archive-damaged', `a line of the snapshot is ${why}`, {
    hint: 'Check the repository with `holdfast check --read-data`.',
  });
}

/** Two of a name would be written side by side, and what is compared in order would be taken for missing. */
function outOfOrder(name: string): HoldfastError {
  return new HoldfastError('archive-damaged', 'the documents of the snapshot are not in the order of their names', {
    hint: 'Check the repository with `holdfast check --read-data`.',
    context: { name },
  });
}
