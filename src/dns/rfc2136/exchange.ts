import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { HoldfastError, messageOf } from '../../foundation/errors.ts';
import type { Rfc2136Settings } from '../dns.ts';
import { type Answer, decodeAnswer, encodeRequest, type Request, uint16 } from './message.ts';
import { assertSigned, sign } from './tsig.ts';

const DEFAULT_PORT = 53;
const TIMEOUT_MS = 10_000;

export interface Exchanged {
  answer: Answer;
  /** What the places in the answer's records refer to. */
  message: Buffer;
}

/**
 * Asks a server once, over TCP, each time over a connection of its own.
 * @throws target-failed where it cannot be reached, or its answer is none or not its own; timed-out; the signal's reason
 */
export async function exchange(
  { server, key }: Rfc2136Settings,
  request: Omit<Request, 'id'>,
  signal: AbortSignal,
): Promise<Exchanged> {
  const id = randomInt(0x10000);
  const plain = encodeRequest({ id, ...request });
  const signed = key === undefined ? undefined : sign(plain, key, Date.now());
  const message = await send(server, signed?.message ?? plain, signal);
  try {
    const answer = decodeAnswer(message);
    if (key !== undefined && signed !== undefined)
      assertSigned(message, answer, { key, mac: signed.mac, nowMs: Date.now() });
    const isOurs = answer.isAnswer && answer.id === id && answer.opcode === request.opcode && !answer.isTruncated;
    if (!isOurs) throw new RangeError('an answer to something else');
    return { answer, message };
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    if (!(error instanceof RangeError)) throw error;
    throw failed(server, `what it says is no answer: ${error.message}`, error);
  }
}

async function send(server: string, message: Buffer, signal: AbortSignal): Promise<Buffer> {
  signal.throwIfAborted();
  const { host, port } = addressOf(server);
  const expired = AbortSignal.timeout(TIMEOUT_MS);
  const socket = connect({ host, port });
  const stop = () => void socket.destroy(new Error('ended'));
  const both = AbortSignal.any([signal, expired]);
  both.addEventListener('abort', stop, { once: true });
  try {
    socket.write(Buffer.concat([uint16(message.length), message]));
    return await oneMessage(socket);
  } catch (error) {
    signal.throwIfAborted();
    if (expired.aborted) {
      throw new HoldfastError('timed-out', `the name server ${server} did not answer within ${TIMEOUT_MS / 1000} s`, {
        hint: 'See whether it runs, and takes TCP from here.',
        retryable: true,
      });
    }
    throw failed(server, messageOf(error), error);
  } finally {
    both.removeEventListener('abort', stop);
    socket.destroy();
  }
}

/** The length in front of a message holds at most 65,535: no server has more of it kept here. */
async function oneMessage(socket: Socket): Promise<Buffer> {
  let received = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk]);
    if (received.length < 2) continue;
    const end = 2 + received.readUInt16BE(0);
    if (received.length >= end) return received.subarray(2, end);
  }
  throw new Error('it ended the connection without an answer');
}

/** @throws bad-usage */
function addressOf(server: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(server);
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (match !== null && port > 0 && port <= 0xffff) return { host: match[1] ?? match[2]!, port };
  throw new HoldfastError('bad-usage', `${JSON.stringify(server)} is no name server`, {
    hint: 'Give a host, with a port if it is not 53: ns.example, 192.0.2.1:5353 or [2001:db8::1]:53.',
  });
}

function failed(server: string, why: string, cause: unknown): HoldfastError {
  return new HoldfastError('target-failed', `the name server ${server} could not be asked: ${why}`, {
    hint: 'See whether it runs, and takes TCP from here.',
    retryable: true,
    cause,
  });
}
