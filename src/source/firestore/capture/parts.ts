/** Lines of documents on their way into files whose boundaries the names decide. */
import type { FileStream, SnapshotWriter } from '../../../repository/index.ts';
import { CollectionDigests } from '../codec/digest.ts';
import { bodyOf, encodeDocument, type RawDocument } from '../codec/document-line.ts';
import { collectionOf, relativeName } from '../codec/names.ts';

/** A file has about as many documents. A boundary belongs to a name: what is added elsewhere does not move it. */
const DOCUMENTS_PER_PART = 4096;
const BUFFERED_CHARACTERS = 256 * 1024;

/** A run of lines that belong into one file. */
export interface Piece {
  /** The id of the collection at the top. */
  collection: string;
  /** Whether a file begins here by the name of the first document, and not only because a range did. */
  isBoundary: boolean;
  content: string[];
  sizeBytes: number;
}

/** Writes documents that come in the order of their names. */
export class PartWriter {
  readonly digests = new CollectionDigests();
  readonly pieces: Piece[] = [];
  documents = 0;

  readonly #writer: SnapshotWriter;
  readonly #database: string;
  #open: { collection: string; isBoundary: boolean; stream: FileStream } | undefined;
  #lines: string[] = [];
  #characters = 0;

  constructor(writer: SnapshotWriter, database: string) {
    this.#writer = writer;
    this.#database = database;
  }

  /** @returns how many bytes that is, about @throws source-unsupported for a value that would be lost */
  async add(document: RawDocument): Promise<number> {
    const name = relativeName(document.name ?? '', this.#database);
    const line = encodeDocument(document, this.#database);
    const collection = name.slice('documents/'.length, name.indexOf('/', 'documents/'.length));
    const isBoundary = isPartBoundary(name);
    if (isBoundary || this.#open?.collection !== collection) {
      await this.end();
      this.#open = { collection, isBoundary, stream: await this.#writer.openFile() };
    }
    this.digests.of(collectionOf(name)).update(bodyOf(line));
    this.documents++;
    this.#lines.push(line, '\n');
    this.#characters += line.length;
    if (this.#characters >= BUFFERED_CHARACTERS) await this.#flush();
    return line.length + 1;
  }

  /** What came since the last boundary is complete. */
  async end(): Promise<void> {
    if (this.#open === undefined) return;
    await this.#flush();
    const { collection, isBoundary, stream } = this.#open;
    this.#open = undefined;
    this.pieces.push({ collection, isBoundary, ...(await stream.end()) });
  }

  abort(): void {
    this.#open?.stream.abort();
    this.#open = undefined;
  }

  async #flush(): Promise<void> {
    if (this.#lines.length === 0) return;
    const bytes = Buffer.from(this.#lines.join(''));
    this.#lines = [];
    this.#characters = 0;
    await this.#open!.stream.write(bytes);
  }
}

/** The pieces of ranges that follow each other, put together to whole files, by collection. */
export function partsByCollection(pieces: readonly Piece[]): Map<string, { content: string[]; sizeBytes: number }[]> {
  const byCollection = new Map<string, { content: string[]; sizeBytes: number }[]>();
  for (const { collection, isBoundary, content, sizeBytes } of pieces) {
    const parts = byCollection.get(collection);
    const last = parts?.at(-1);
    if (parts === undefined) byCollection.set(collection, [{ content: [...content], sizeBytes }]);
    else if (isBoundary || last === undefined) parts.push({ content: [...content], sizeBytes });
    else {
      last.content.push(...content);
      last.sizeBytes += sizeBytes;
    }
  }
  return byCollection;
}

/** FNV-1a with the finish of MurmurHash3, of the name's UTF-16 units. */
function isPartBoundary(name: string): boolean {
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % DOCUMENTS_PER_PART === 0;
}
