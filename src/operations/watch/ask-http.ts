import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { systemCode, systemReason } from '../../foundation/errors.ts';
import { isUntrusted } from '../../foundation/http.ts';
import { formatDuration } from '../../foundation/units.ts';

const MOST_REDIRECTS = 5;
/**
 * Each question has a connection of its own, as somebody's who comes anew: one that is kept open may end by itself just when
 * it is used again, which would look like a failure. Sessions of TLS are resumed, which spares most of what they cost.
 */
const agents = {
  http: new HttpAgent({ keepAlive: false }),
  https: new HttpsAgent({ keepAlive: false, maxCachedSessions: 200 }),
};

export interface HttpQuestion {
  url: string;
  timeoutMs: number;
  /** No more of the body is read. */
  limitBytes: number;
  signal: AbortSignal;
}

export type HttpReply = { status: number; body: Buffer } | { problem: string };

/**
 * Asks with GET, following at most five redirections. What is no answer is told as what completes "it …": it names no part of
 * the URL, which may be secret.
 * @throws the signal's reason
 */
export async function askHttp({ url, timeoutMs, limitBytes, signal }: HttpQuestion): Promise<HttpReply> {
  const expired = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, expired]);
  try {
    let next = new URL(url);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
      const { status, location, body } = await get(next, limitBytes, either);
      if (status < 300 || status > 399 || location === undefined) return { status, body };
      if (!URL.canParse(location, next.href)) return { problem: 'leads to what is no URL' };
      next = new URL(location, next);
      if (!/^https?:$/.test(next.protocol)) return { problem: 'leads to what is not HTTP' };
    }
    return { problem: `leads elsewhere more than ${MOST_REDIRECTS} times` };
  } catch (error) {
    signal.throwIfAborted();
    if (expired.aborted) return { problem: `did not answer within ${formatDuration(timeoutMs)}` };
    return { problem: problemOf(error) };
  }
}

interface Got {
  status: number;
  location: string | undefined;
  body: Buffer;
}

function get(url: URL, limitBytes: number, signal: AbortSignal): Promise<Got> {
  const isSecure = url.protocol === 'https:';
  return new Promise((resolve, reject) => {
    const headers = { 'user-agent': 'holdfast', accept: '*/*' };
    const options = { headers, signal, agent: isSecure ? agents.https : agents.http };
    const request = (isSecure ? requestHttps : requestHttp)(url, options, (response) => {
      const parts: Buffer[] = [];
      let readBytes = 0;
      const end = (): void => {
        const { statusCode: status = 0, headers: got } = response;
        resolve({ status, location: got.location, body: Buffer.concat(parts).subarray(0, limitBytes) });
        response.destroy();
      };
      response.on('data', (part: Buffer) => {
        parts.push(part);
        readBytes += part.length;
        if (readBytes >= limitBytes) end();
      });
      response.on('end', end);
      response.on('error', reject);
      // A server that goes away in the middle ends nothing.
      response.on('aborted', () => reject(Object.assign(new Error('the answer was cut off'), { code: 'ECONNRESET' })));
    });
    request.on('error', reject);
    request.end();
  });
}

function problemOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && isUntrusted(code)) return `has a certificate that is not trusted (${code})`;
  if (systemCode(error) !== undefined) return `did not answer: ${systemReason(error)}`;
  return `did not answer: ${typeof code === 'string' ? code : 'the connection failed'}`;
}
