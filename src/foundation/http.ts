/** What everybody who asks a server over HTTP does with its answers, and with their absence. */

import { messageOf } from './errors.ts';

const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)|ERR_TLS|ERR_SSL/;

/** Whether an error's code says that the server's certificate is not trusted. */
export function isUntrusted(code: string): boolean {
  return UNTRUSTED.test(code);
}

/** How long the header `Retry-After` asks to wait, in milliseconds; it says seconds, or a date. */
export function readRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
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

/** The beginning of an answer, of at most so many bytes: no more of it is read. */
export async function readBeginning({ body }: Response, limitBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let readBytes = 0;
  if (body !== null) {
    for await (const part of body) {
      parts.push(part);
      readBytes += part.length;
      if (readBytes >= limitBytes) break;
    }
  }
  return Buffer.concat(parts).subarray(0, limitBytes).toString('utf8');
}
