/** What every store behind HTTP does with answers, and with their absence. */

import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { releaseBuffer } from '../foundation/buffers.ts';
import { HoldfastError, messageOf, systemCode } from '../foundation/errors.ts';
import { isUntrusted, plainCause } from '../foundation/http.ts';

/** Node's codes for an answer that is none of HTTP's. */
const NOT_HTTP = /^HPE_/;

/** What is fed all that comes. */
export interface Digest {
  update: (chunk: Buffer) => unknown;
}

/**
 * The body, of which nothing may be missing. The buffer is nobody else's, or a part of `into`.
 * @param expected.bodyBytes how many bytes it must have, where that is known
 * @param expected.digest is given every byte
 * @param expected.into where they go, where they fit
 * @param what completes "cannot …"
 * @throws store-unreachable for another length
 */
export async function readBody(
  body: Readable,
  expected: { bodyBytes: number | undefined; digest?: Digest | undefined; into?: Uint8Array | undefined },
  what: string,
): Promise<Uint8Array> {
  const { bodyBytes, digest, into } = expected;
  const wrongLength = (): HoldfastError =>
    new HoldfastError('store-unreachable', `cannot ${what}: the answer is not as long as it says`, { retryable: true });
  const parts: Buffer[] = [];
  const whole = bodyBytes === undefined ? undefined : roomFor(bodyBytes, into);
  let doneBytes = 0;
  const take = (chunk: Buffer): void => {
    digest?.update(chunk);
    const startByte = doneBytes;
    doneBytes += chunk.length;
    if (whole !== undefined && doneBytes > whole.length) throw wrongLength();
    if (whole === undefined) {
      parts.push(chunk);
      return;
    }
    whole.set(chunk, startByte);
    // It came in memory of its own, and so much of it that the collector would be at work all the time.
    if (chunk.buffer.byteLength === chunk.length) releaseBuffer(chunk);
  };
  await pipeline(body, writableTo(take));
  if (whole === undefined) return Uint8Array.from(Buffer.concat(parts));
  if (doneBytes !== whole.length) throw wrongLength();
  return whole;
}

/** Hands on each chunk as it comes; what iterates over a body puts several together first. */
function writableTo(take: (chunk: Buffer) => void): Writable {
  return new Writable({
    highWaterMark: 2 ** 20,
    write(chunk: Buffer, _encoding, done) {
      try {
        take(chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

function roomFor(sizeBytes: number, into: Uint8Array | undefined): Uint8Array {
  if (into !== undefined && into.length >= sizeBytes) return into.subarray(0, sizeBytes);
  return Buffer.allocUnsafeSlow(sizeBytes);
}

/** @param what the object and its store, as they are shown */
export function endsBefore(what: string, endByte: number): HoldfastError {
  return new HoldfastError('repository-damaged', `${what} is damaged: it ends before byte ${endByte}`);
}

export interface UnansweredCall {
  /** Completes "cannot …". */
  what: string;
  key?: string;
  store: string;
}

/** The boundary's error where no answer came, or not all of it. */
export function failureOfTransport(error: unknown, { what, key, store }: UnansweredCall): HoldfastError {
  const text = messageOf(error);
  const details = { context: { ...(key === undefined ? {} : { key }), store }, cause: plainCause(error) };
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  const system = typeof code === 'string' ? code : '';
  if (isUntrusted(system)) {
    return new HoldfastError('store-unreachable', `cannot ${what}: the server's certificate is not trusted: ${text}`, {
      ...details,
      hint: 'Check the endpoint. For an authority of your own, set NODE_EXTRA_CA_CERTS to its certificate.',
    });
  }
  const isBroken = systemCode(error) !== undefined || NOT_HTTP.test(system) || name === 'TimeoutError';
  if (isBroken || /aborted|socket hang up|timed? ?out/i.test(text)) {
    return new HoldfastError('store-unreachable', `cannot ${what}: ${text}`, {
      ...details,
      retryable: true,
      hint: 'Check the endpoint and the network of this machine.',
    });
  }
  return new HoldfastError('store-failed', `cannot ${what}: ${text}`, details);
}
