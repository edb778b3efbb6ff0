import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { HoldfastError, isHoldfastError } from '../foundation/errors.ts';
import type { Content } from './object-store.ts';

/**
 * Does `work` with content that was given to `put` and keeps what that promises: a file is gone when all is over, and
 * where it was only after an error that is `retryable`.
 */
export async function handingOver<T>(content: Content, work: () => Promise<T>): Promise<T> {
  let error: unknown;
  try {
    return await work();
  } catch (thrown) {
    error = thrown;
    throw thrown;
  } finally {
    const isNeededAgain = isHoldfastError(error) && error.retryable;
    if (!(content instanceof Uint8Array) && !isNeededAgain) await rm(content.file, { force: true });
  }
}

export function sizeOf(content: Content): number {
  return content instanceof Uint8Array ? content.byteLength : content.sizeBytes;
}

/**
 * The MD5 of content, as hexadecimal digits.
 * @param what completes "cannot …"
 * @throws internal for a file that is not as long as is said
 */
export async function md5Of(content: Content, what: string): Promise<string> {
  if (content instanceof Uint8Array) return hash('md5', content, 'hex');
  const { file, sizeBytes } = content;
  const digest = createHash('md5');
  let readBytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    digest.update(chunk as Buffer);
    readBytes += (chunk as Buffer).length;
  }
  if (readBytes === sizeBytes) return digest.digest('hex');
  throw new HoldfastError('internal', `cannot ${what}: its file has ${readBytes} bytes instead of ${sizeBytes}`);
}
