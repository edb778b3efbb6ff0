/**
 * Gives a buffer's memory back at once: large ones that are left to the collector can double a process's memory before it
 * runs. The buffer must not be used any more. Small ones share their memory with others, and are left alone.
 */
export function releaseBuffer({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
  // What is as long as its memory shares it with nobody: of Node's pool no more than half is ever given out at once.
  const isOwn = byteOffset === 0 && (byteLength === buffer.byteLength || buffer.byteLength > Buffer.poolSize);
  if (isOwn && buffer.byteLength > NOT_WORTH_IT_BYTES && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

const NOT_WORTH_IT_BYTES = 4096;
