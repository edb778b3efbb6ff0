import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostgresDetails } from './details.ts';
import { RowDigest } from './row-digest.ts';

const LARGE_OBJECT_FILE = /^blob_(\d+)\.dat$/;

/** The large objects of an archive in directory format: how many, how large, and a digest of object ids and contents. */
export async function digestLargeObjects(archiveDirectory: string): Promise<PostgresDetails['largeObjects']> {
  const digest = new RowDigest();
  let count = 0;
  let bytes = 0;
  for (const name of await readdir(archiveDirectory)) {
    const oid = LARGE_OBJECT_FILE.exec(name)?.[1];
    if (oid === undefined) continue;
    const path = join(archiveDirectory, name);
    count++;
    bytes += (await stat(path)).size;
    digest.update(Buffer.from(`${oid} ${await sha256(path)}\n`));
  }
  return { count, bytes, digest: digest.digest() };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
