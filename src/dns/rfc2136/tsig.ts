/** Messages signed with a shared key, and answers held against it. Source: RFC 8945, sections 4 and 5. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../../foundation/errors.ts';
import type { TsigKey } from '../dns.ts';
import { type Answer, CLASS, encodeRecord, TYPES, uint16, uint32 } from './message.ts';
import { decodeName, encodeName } from './names.ts';

/** How far two clocks may be apart. */
const FUDGE_SECONDS = 300;
const ADDITIONAL_COUNT_AT = 10;
/** What a server says when it does not take a signature. */
const REFUSALS: Readonly<Record<number, string>> = {
  16: 'the signature is wrong: the key has another secret there',
  17: 'it does not know a key of that name and algorithm',
  18: 'its clock and the one of this machine are too far apart',
  22: 'it wants longer signatures',
};

export interface Signed {
  message: Buffer;
  /** What the answer's signature goes on from. */
  mac: Buffer;
}

/** @param secret the key's, as bytes */
export function sign(message: Buffer, key: TsigKey, nowMs: number): Signed {
  const seconds = Math.floor(nowMs / 1000);
  const mac = macOf(key, [
    message,
    variables(key, { seconds, fudge: FUDGE_SECONDS, error: 0, other: Buffer.alloc(0) }),
  ]);
  const data = Buffer.concat([
    encodeName(key.algorithm),
    ...[uint48(seconds), uint16(FUDGE_SECONDS), uint16(mac.length), mac],
    ...[message.subarray(0, 2), uint16(0), uint16(0)],
  ]);
  const record = encodeRecord({ name: key.name, type: TYPES.TSIG, class: CLASS.ANY, ttlSeconds: 0, data });
  const signed = Buffer.concat([message, record]);
  signed.writeUInt16BE(message.readUInt16BE(ADDITIONAL_COUNT_AT) + 1, ADDITIONAL_COUNT_AT);
  return { message: signed, mac };
}

/**
 * That an answer is the server's own, and the one to what was asked.
 * @throws target-failed where it is not, or where the server did not take the signature; RangeError
 */
export function assertSigned(
  message: Buffer,
  answer: Answer,
  { key, mac, nowMs }: { key: TsigKey; mac: Buffer; nowMs: number },
): void {
  const record = answer.additionals.at(-1);
  if (record?.type !== TYPES.TSIG || record.class !== CLASS.ANY || record.ttlSeconds !== 0)
    throw untrue('it is not signed');
  const { name: algorithm, end: at } = decodeName(message, record.start);
  const [seconds, fudge, macBytes] = [
    message.readUIntBE(at, 6),
    message.readUInt16BE(at + 6),
    message.readUInt16BE(at + 8),
  ];
  const behind = at + 10 + macBytes;
  const given = message.subarray(at + 10, behind);
  const [error, other] = [message.readUInt16BE(behind + 2), message.subarray(behind + 6, record.end)];
  if (message.readUInt16BE(behind + 4) !== other.length) throw untrue('its signature is damaged');
  if (error in REFUSALS && error !== 18) throw untrue(REFUSALS[error]!, 'See the key in the plan and at the server.');
  if (record.name !== encodedName(key.name) || algorithm !== key.algorithm)
    throw untrue('it is signed with another key');
  const bare = Buffer.from(message.subarray(0, record.at));
  bare.writeUInt16BE(answer.additionals.length - 1, ADDITIONAL_COUNT_AT);
  // The id that was signed; whoever passes messages on may have put another one in its place.
  message.copy(bare, 0, behind, behind + 2);
  const expected = macOf(key, [uint16(mac.length), mac, bare, variables(key, { seconds, fudge, error, other })]);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw untrue('its signature is wrong');
  if (error === 18 || Math.abs(nowMs / 1000 - seconds) > FUDGE_SECONDS) {
    throw untrue(REFUSALS[18]!, 'Set the clocks.');
  }
}

function encodedName(name: string): string {
  return decodeName(encodeName(name), 0).name;
}

/** @throws bad-usage where the secret is none */
function macOf({ algorithm, secret }: TsigKey, parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.from(secret, 'base64');
  if (bytes.length === 0 || !/^[A-Za-z0-9+/=\s]+$/.test(secret)) {
    throw new HoldfastError('bad-usage', 'the secret of the key for DNS updates is not in base64', {
      hint: 'Give it as `tsig-keygen` prints it.',
    });
  }
  const hmac = createHmac(algorithm.replace('hmac-', ''), bytes);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

function variables(
  { name, algorithm }: TsigKey,
  { seconds, fudge, error, other }: { seconds: number; fudge: number; error: number; other: Buffer },
): Buffer {
  const head = [encodeName(name), uint16(CLASS.ANY), uint32(0), encodeName(algorithm)];
  return Buffer.concat([...head, uint48(seconds), uint16(fudge), uint16(error), uint16(other.length), other]);
}

function uint48(value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(value, 0, 6);
  return bytes;
}

function untrue(why: string, hint = 'Somebody may stand between: nothing is believed of this answer.'): HoldfastError {
  return new HoldfastError('target-failed', `the answer of the name server cannot be trusted: ${why}`, { hint });
}
