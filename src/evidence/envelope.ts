/**
 * Envelopes as DSSE 1.0 has them (Dead Simple Signing Envelope): a payload, its type, and signatures over both. Pure.
 *
 * One that others made in another way may be refused here: what of an envelope is not signed (its other members, the names of
 * keys, how base64 is written) is taken only in the one form that this program writes, so that no character of it can be changed.
 */
import { type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { HoldfastError } from '../foundation/errors.ts';
import { jsonOf } from './json.ts';
import { fingerprintOf } from './signing-key.ts';

/** The type of a payload that is an in-toto Statement. */
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

const base64 = z.string().refine((text) => text !== '' && Buffer.from(text, 'base64').toString('base64') === text);
const envelope = z.strictObject({
  payloadType: z.literal(PAYLOAD_TYPE),
  payload: base64,
  signatures: z.array(z.strictObject({ keyid: z.string().regex(/^[0-9a-f]{64}$/), sig: base64 })).min(1),
});

/** `payload` and `sig` are base64, `keyid` is the fingerprint of the key: see `fingerprintOf`. */
export type Envelope = z.infer<typeof envelope>;

/** What a signature says, by the keys that are believed. */
export interface JudgedSignature {
  /** As the envelope names it. */
  key: string;
  /** `unknown`: by a key that is not among them, so that nothing is known of it. */
  state: 'good' | 'bad' | 'unknown';
}

/** The bytes that are signed: lengths stand before the parts, so that nothing of one can be taken for the other. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** A line of JSON with a newline at its end: a file of its own, and a line of in-toto's bundles. @param keys private; at least one */
export function sealEnvelope(payload: Uint8Array, keys: readonly KeyObject[]): string {
  const signed = preAuthEncoding(PAYLOAD_TYPE, payload);
  const document: Envelope = {
    payloadType: PAYLOAD_TYPE,
    payload: Buffer.from(payload).toString('base64'),
    signatures: keys.map((key) => ({ keyid: fingerprintOf(key), sig: sign(null, signed, key).toString('base64') })),
  };
  return `${JSON.stringify(document)}\n`;
}

/** What a text holds, before anybody has looked at its signatures. @throws evidence-refused when it is no envelope */
export function parseEnvelope(text: string): Envelope {
  const parsed = envelope.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new HoldfastError('evidence-refused', `it is no DSSE envelope${where === '' ? '' : ` (${where})`}`, {
    hint: 'Evidence is a line of JSON with payloadType, payload and signatures, as `holdfast evidence export` writes it.',
  });
}

/** What each signature of an envelope is worth. @param believed public keys, or private ones */
export function judgeSignatures({ payload, signatures }: Envelope, believed: readonly KeyObject[]): JudgedSignature[] {
  const signed = preAuthEncoding(PAYLOAD_TYPE, Buffer.from(payload, 'base64'));
  const keys = new Map(believed.map((key) => [fingerprintOf(key), key]));
  return signatures.map(({ keyid, sig }) => {
    const key = keys.get(keyid);
    if (key === undefined) return { key: keyid, state: 'unknown' };
    return { key: keyid, state: verify(null, signed, key, Buffer.from(sig, 'base64')) ? 'good' : 'bad' };
  });
}
