/**
 * A promise that is awaited later, perhaps only after another one failed first. Its rejection still reaches whoever awaits
 * it; only the process does not end because nobody does yet.
 */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  void Promise.allSettled([promise]);
  return promise;
}

/** Resolves once the promise has settled, however: for whom the outcome is somebody else's matter. */
export async function settled(promise: Promise<unknown>): Promise<void> {
  await Promise.allSettled([promise]);
}

/** Does work on each item, so many at the same time. Results are in the order of the items. The first failure is thrown. */
export async function sideBySide<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const run = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at]!);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  return results;
}
