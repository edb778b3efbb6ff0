const GB64 = 64 * 1024 ** 3;
const SMALLEST_BYTES = 64 * 1024;
const LARGEST_BYTES = 1024 * 1024;

/**
 * At which size files of relations are cut: small, so that a changed page costs little, and larger for large clusters, so
 * that the index stays small.
 * @param previousBytes of the backup before: a cluster near a limit, or one that shrank, is not stored anew for it
 */
export function cutBytesFor(clusterBytes: number, previousBytes?: number): number {
  let bytes = SMALLEST_BYTES;
  for (let limit = GB64; clusterBytes > limit && bytes < LARGEST_BYTES; limit *= 2) bytes *= 2;
  const isOneOfOurs = previousBytes !== undefined && previousBytes <= LARGEST_BYTES;
  return isOneOfOurs ? Math.max(bytes, previousBytes) : bytes;
}
