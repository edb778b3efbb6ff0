/**
 * Gives a buffer's memory back at once: large ones that are left to the collector can double a process's memory before it
 * runs. The buffer must not be used any more. Small ones share their memory with others, and are left alone.
 */
export function releaseBuffer({ buffer, byteOffset }: ArrayBufferView): void {
  if (byteOffset === 0 && buffer.byteLength > Buffer.poolSize && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
