/**
 * An index of millions of blobs, of packs that are nowhere: what loading it takes does not depend on them.
 * `node large-index.ts REPOSITORY BLOBS` adds one to a repository whose password is in HOLDFAST_BENCH_PASSWORD.
 */

import { FIELDS, ID_BYTES, type IndexColumns, indexText, MAX_BLOBS_PER_INDEX_FILE } from '../src/format/index.ts';
import { openRepository } from '../src/repository/index.ts';
import { INDEX_PREFIX } from '../src/repository/layout.ts';
import { createLocalStore } from '../src/store/local/index.ts';
import { random } from './data.ts';

/** About what 16 MiB hold. */
const BLOBS_PER_PACK = 200;

/** Adds index files to a repository until they list so many blobs more. */
async function addIndexEntries(directory: string, password: string, blobs: number): Promise<void> {
  const repository = await openRepository(createLocalStore(directory), password);
  for (let done = 0; done < blobs; done += MAX_BLOBS_PER_INDEX_FILE) {
    const text = indexText([listing(done, MAX_BLOBS_PER_INDEX_FILE)]);
    await repository.putSealed(INDEX_PREFIX, repository.sealDocumentText(text));
  }
}

function listing(seed: number, count: number): IndexColumns {
  const next = random(seed + 1);
  const ids = new Uint8Array(count * ID_BYTES);
  new Uint32Array(ids.buffer).forEach((_, index, words) => {
    words[index] = next();
  });
  const packs = Array.from({ length: count / BLOBS_PER_PACK }, (_, pack) => {
    const id = Array.from({ length: 8 }, () => next().toString(16).padStart(8, '0')).join('');
    return { id, first: pack * BLOBS_PER_PACK };
  });
  const fields = new Uint32Array(count * FIELDS);
  let offset = 0;
  for (let blob = 0; blob < count; blob++) {
    if (blob % BLOBS_PER_PACK === 0) offset = 0;
    const length = 1000 + (next() % 150_000);
    fields.set([offset, length, length * 2], blob * FIELDS);
    offset += length;
  }
  return { packs, ids, fields, count };
}

const [directory, blobs] = process.argv.slice(2);
await addIndexEntries(directory!, process.env['HOLDFAST_BENCH_PASSWORD']!, Number(blobs));
