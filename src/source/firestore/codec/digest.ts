import { hash } from 'node:crypto';

/** The name of the digest below, as the manifest has it. A change of the algorithm takes a new name. */
export const DOCUMENT_DIGEST = 'documents-v1';

const LANES = 8;

/**
 * Digest `documents-v1`: of a set of documents, whatever their order.
 *
 * Each document's body (`encodeBody`) is hashed by SHA-256; the digest is the sum of the hashes as numbers, the first byte
 * the highest, modulo 2^256, as 64 hex digits. Times are no part of it, since a restore cannot set them.
 */
export class DocumentDigest {
  documents = 0;
  /** Of the bodies in UTF-8. */
  bytes = 0;
  /** The lowest first. */
  readonly #sum = new Uint32Array(LANES);

  /** @param body as `encodeBody` or `bodyOf` gives it */
  update(body: string): void {
    const bytes = Buffer.from(body);
    const hashed = hash('sha256', bytes, 'buffer');
    this.#add((lane) => hashed.readUInt32BE((LANES - 1 - lane) * 4));
    this.documents++;
    this.bytes += bytes.length;
  }

  /** Takes in the documents of another one. */
  add(other: DocumentDigest): void {
    this.#add((lane) => other.#sum[lane]!);
    this.documents += other.documents;
    this.bytes += other.bytes;
  }

  hex(): string {
    return [...this.#sum]
      .reverse()
      .map((lane) => lane.toString(16).padStart(8, '0'))
      .join('');
  }

  #add(laneOf: (lane: number) => number): void {
    let carry = 0;
    for (let lane = 0; lane < LANES; lane++) {
      const digit = this.#sum[lane]! + laneOf(lane) + carry;
      this.#sum[lane] = digit;
      carry = digit > 0xffffffff ? 1 : 0;
    }
  }
}

/** The digest of every collection, by its path as `collectionOf` gives it. */
export class CollectionDigests {
  readonly #byCollection = new Map<string, DocumentDigest>();

  of(collection: string): DocumentDigest {
    let digest = this.#byCollection.get(collection);
    if (digest === undefined) {
      digest = new DocumentDigest();
      this.#byCollection.set(collection, digest);
    }
    return digest;
  }

  add(other: CollectionDigests): void {
    for (const [collection, digest] of other.#byCollection) this.of(collection).add(digest);
  }

  /** As the manifest has them, sorted by collection. */
  summaries(): CollectionSummary[] {
    return [...this.#byCollection]
      .map(([collection, digest]) => ({
        ...{ collection, documents: digest.documents },
        ...{ bytes: digest.bytes, digest: digest.hex() },
      }))
      .sort((left, right) => (left.collection < right.collection ? -1 : 1));
  }
}

export interface CollectionSummary {
  // `companies`, `companies/*/deals`
  collection: string;
  documents: number;
  bytes: number;
  digest: string;
}
