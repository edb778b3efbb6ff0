/** The end of copies of servers. */

/**
 * Stops all of them, then removes their directories, whatever fails of it.
 * @returns what stopping each came to. @throws the first of what failed
 */
export async function stopCopies<Ended>(
  copies: readonly { stop(): Promise<Ended> }[],
  places: readonly { directory: { close(): Promise<void> } }[],
): Promise<Ended[]> {
  const ends = await Promise.allSettled(copies.map((each) => each.stop()));
  const removed = await Promise.allSettled(places.map(({ directory }) => directory.close()));
  for (const each of [...ends, ...removed]) if (each.status === 'rejected') throw each.reason;
  return ends.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}
