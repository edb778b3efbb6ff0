/**
 * A promise that is awaited later, perhaps only after another one failed first. Its rejection still reaches whoever awaits
 * it; only the process does not end because nobody does yet.
 */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, reachesWhoeverAwaits);
  return promise;
}

/** One function for all: this is called for every blob. */
function reachesWhoeverAwaits(): void {}

/** Resolves once the promise has settled, however: for whom the outcome is somebody else's matter. */
export async function settled(promise: Promise<unknown>): Promise<void> {
  await Promise.allSettled([promise]);
}
