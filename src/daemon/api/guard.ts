import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { isLoopback, isLoopbackName, type ListenAddress } from './listen-address.ts';
import { REFUSALS, type RefusalCode } from './refusals.ts';

const BODY_LIMIT_BYTES = 1 << 20;
const LINGERING_BYTES = 4 << 20;

interface Refusal {
  code: RefusalCode;
  message: string;
  hint: string;
}

/** Why a request is not answered at all, by its headers alone; undefined where it is. */
export function refusalOf({ headers }: IncomingMessage, { host }: ListenAddress): Refusal | undefined {
  if (isLoopback(host) && !isLoopbackName(headers.host)) {
    // A page in a browser, whose own name was made to lead here.
    const message = 'this is served to this machine alone, and the request names another';
    return { code: 'misdirected', message, hint: 'Use 127.0.0.1 or localhost.' };
  }
  if (headers['transfer-encoding'] !== undefined) {
    const message = 'a body is taken only where its length is said before';
    return { code: 'length-required', message, hint: 'Send `Content-Length`, and no `Transfer-Encoding`.' };
  }
  if (Number(headers['content-length'] ?? 0) > BODY_LIMIT_BYTES) {
    const message = `a body of more than ${BODY_LIMIT_BYTES} bytes is not taken`;
    return { code: 'too-large', message, hint: 'See /openapi.json for what is taken.' };
  }
  return undefined;
}

/**
 * Answers and ends the connection. A little of what still comes is thrown away first: who is cut off while sending sees no
 * answer.
 */
export function refuseUnread(request: IncomingMessage, refusal: Refusal): void {
  const { socket } = request;
  const status = REFUSALS[refusal.code];
  const body = JSON.stringify(refusal);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end([...head, '', body].join('\r\n'));
  let leftBytes = LINGERING_BYTES;
  request.on('data', ({ length }: Buffer) => {
    leftBytes -= length;
    if (leftBytes < 0) socket.destroy();
  });
  request.on('end', () => socket.destroySoon());
}
