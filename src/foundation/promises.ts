/**
 * A promise that is awaited later, perhaps only after another one failed first. Its rejection still reaches whoever awaits
 * it; only the process does not end because nobody does yet.
 */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, () => undefined);
  return promise;
}
