import { byteStringOfText, displayName } from '../../../format/index.ts';
import type { SnapshotReader } from '../../../repository/index.ts';
import type { Bucket, BucketObject } from '../../../store/index.ts';
import type { Comparison, Discrepancy, RestoreContext } from '../../index.ts';
import { isKeyExcluded, type ListedObject, readList } from './object-list.ts';

/**
 * Holds what a bucket lists against the snapshot's list: keys, sizes and versions. No object is read: one that was stored
 * again is another one, be its content the same.
 */
export async function compareBucket(
  reader: SnapshotReader,
  bucket: Bucket,
  { context, isExcluded }: { context: RestoreContext; isExcluded: (path: string) => boolean },
): Promise<Comparison> {
  context.progress.phase('comparing objects');
  const differences: Discrepancy[] = [];
  const differ = (key: string, kind: Discrepancy['kind'], detail: string): void => {
    differences.push({ item: displayName(byteStringOfText(key)), kind, detail });
  };
  const listed = readList(reader);
  let compared = 0;
  let line = await listed.next();
  const missesUntil = async (key: string | undefined): Promise<void> => {
    for (; !line.done && (key === undefined || isBefore(line.value.key, key)); line = await listed.next()) {
      differ(line.value.key, 'missing', 'is missing');
    }
  };
  for await (const object of bucket.list()) {
    context.signal.throwIfAborted();
    if (isKeyExcluded(object.key, isExcluded)) continue;
    await missesUntil(object.key);
    if (line.done || line.value.key !== object.key) {
      differ(object.key, 'extra', 'is not in the snapshot');
      continue;
    }
    compared++;
    const difference = differenceOf(line.value, object);
    if (difference !== undefined) differ(object.key, 'content', difference);
    context.progress.advance({ items: 1 });
    line = await listed.next();
  }
  await missesUntil(undefined);
  return { compared, differences, notes: [] };
}

function isBefore(one: string, other: string): boolean {
  return byteStringOfText(one) < byteStringOfText(other);
}

function differenceOf(line: ListedObject, { sizeBytes, version, modifiedMs }: BucketObject): string | undefined {
  if (line.size !== sizeBytes) return `has ${sizeBytes} bytes, not ${line.size}`;
  return line.version === version ? undefined : `was stored again, at ${new Date(modifiedMs).toISOString()}`;
}
