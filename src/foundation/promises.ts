/**
 * A promise that is awaited later, perhaps only after another one failed first. Its rejection still reaches whoever awaits
 * it; only the process does not end because nobody does yet.
 */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, reachesWhoeverAwaits);
  return promise;
}

/** For a rejection that somebody else awaits. One function for all: this is called for every blob. */
export function reachesWhoeverAwaits(): void {}

/** Resolves once the promise has settled, however: for whom the outcome is somebody else's matter. */
export async function settled(promise: Promise<unknown>): Promise<void> {
  await Promise.allSettled([promise]);
}

/** The results of what goes on at the same time. A failure is thrown, the first in their order, once all of them are over. */
export async function allOver<const Begun extends readonly unknown[]>(
  begun: Begun,
): Promise<{ -readonly [At in keyof Begun]: Awaited<Begun[At]> }> {
  await Promise.allSettled(begun);
  return Promise.all(begun) as Promise<{ -readonly [At in keyof Begun]: Awaited<Begun[At]> }>;
}

/**
 * Does work on each item, so many at the same time. Results are in the order of the items. After a failure nothing more is
 * begun, and it is thrown once what was begun is over.
 */
export async function sideBySide<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  const failures: unknown[] = [];
  let next = 0;
  const run = async (): Promise<void> => {
    for (let at = next++; at < items.length && failures.length === 0; at = next++) {
      try {
        results[at] = await work(items[at]!);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, run));
  if (failures.length > 0) throw failures[0];
  return results;
}
