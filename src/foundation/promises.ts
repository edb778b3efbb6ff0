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
