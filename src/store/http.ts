/** What every store behind HTTP does with answers, and with their absence. */

import type { Readable } from 'node:stream';
import { HoldfastError, messageOf, systemCode } from '../foundation/errors.ts';

/** Node's codes for an answer that is none of HTTP's. */
const NOT_HTTP = /^HPE_/;
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)|ERR_TLS|ERR_SSL/;

/** What is fed all that comes. */
export interface Digest {
  update: (chunk: Buffer) => unknown;
}

/**
 * The body, of which nothing may be missing. The buffer is nobody else's.
 * @param expected.bodyBytes how many bytes it must have, where that is known
 * @param expected.digest is given every byte
 * @param what completes "cannot …"
 * @throws store-unreachable for another length
 */
export async function readBody(
  body: Readable,
  { bodyBytes, digest }: { bodyBytes: number | undefined; digest?: Digest | undefined },
  what: string,
): Promise<Uint8Array> {
  const wrongLength = (): HoldfastError =>
    new HoldfastError('store-unreachable', `cannot ${what}: the answer is not as long as it says`, { retryable: true });
  const parts: Buffer[] = [];
  const whole = bodyBytes === undefined ? undefined : Buffer.allocUnsafeSlow(bodyBytes);
  let doneBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    digest?.update(chunk);
    if (whole === undefined) parts.push(chunk);
    else if (doneBytes + chunk.length > whole.length) throw wrongLength();
    else whole.set(chunk, doneBytes);
    doneBytes += chunk.length;
  }
  if (whole === undefined) return Uint8Array.from(Buffer.concat(parts));
  if (doneBytes !== whole.length) throw wrongLength();
  return whole;
}

/** @param what the object and its store, as they are shown */
export function endsBefore(what: string, endByte: number): HoldfastError {
  return new HoldfastError('repository-damaged', `${what} is damaged: it ends before byte ${endByte}`);
}

/** How long the header `Retry-After` asks to wait, in milliseconds; it says seconds, or a date. */
export function readRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
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
  if (UNTRUSTED.test(system)) {
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

/** An error's name, message and place alone: those of clients carry the request with them, and credentials in it. */
export function plainCause(error: unknown): Error {
  const cause = new Error(messageOf(error));
  if (error instanceof Error) {
    cause.name = error.name;
    if (error.stack !== undefined) cause.stack = error.stack;
  }
  return cause;
}
