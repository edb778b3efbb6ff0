import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { preAuthEncoding } from './envelope.ts';
import {
  judgeSignatures,
  newSigningKey,
  parseEnvelope,
  parsePublicKey,
  parseSigningKey,
  sealEnvelope,
} from './index.ts';

const key = parseSigningKey(newSigningKey());
const other = parseSigningKey(newSigningKey());
const judged = (text: string, ...keys: Parameters<typeof judgeSignatures>[1]) =>
  judgeSignatures(parseEnvelope(text), keys).map(({ state }) => state);

describe('an envelope', () => {
  it('signs what the protocol of DSSE says, byte for byte', () => {
    const signed = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
    expect(signed.toString()).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
    const [payload, type] = [Buffer.from('é', 'latin1'), 'é'];
    expect(preAuthEncoding(type, payload)).toEqual(Buffer.concat([Buffer.from('DSSEv1 2 é 1 '), payload]));
  });

  it('gives back what was put in, and is believed by its key alone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        const text = sealEnvelope(bytes, [key, other]);
        expect(Buffer.from(parseEnvelope(text).payload, 'base64')).toEqual(Buffer.from(bytes));
        expect(judged(text, key)).toEqual(['good', 'unknown']);
        expect(judged(text, key, other)).toEqual(['good', 'good']);
        expect(judged(text)).toEqual(['unknown', 'unknown']);
      }),
      { numRuns: 20 },
    );
  });

  it('is refused with any one character changed, wherever that is', () => {
    const text = sealEnvelope(Buffer.from('{"what":"was said"}'), [key]);
    const characters = 'ABab01+/=-_", {}:';
    fc.assert(
      fc.property(fc.nat(text.length - 2), fc.constantFrom(...characters), (at, character) => {
        fc.pre(text[at] !== character);
        const edited = text.slice(0, at) + character + text.slice(at + 1);
        let states: string[] = [];
        try {
          states = judged(edited, key);
        } catch (error) {
          expect(error).toMatchObject({ code: 'evidence-refused' });
        }
        expect(states).not.toContain('good');
      }),
      { numRuns: 500 },
    );
  });

  it('is none with something in it that nobody signed, or in another form', () => {
    const envelope = JSON.parse(sealEnvelope(Buffer.from('ab'), [key]));
    const [{ keyid, sig }] = envelope.signatures;
    expect(envelope.payload).toBe('YWI=');
    for (const change of [
      { note: 'signed' },
      { payload: 'YWI' },
      { payload: 'YWJ=' },
      { payload: '' },
      { payloadType: 'text/plain' },
      { signatures: [] },
      { signatures: [{ keyid, sig, cert: '' }] },
      { signatures: [{ keyid: keyid.toUpperCase(), sig }] },
      { signatures: [{ sig }] },
    ]) {
      const text = JSON.stringify({ ...envelope, ...change });
      expect(() => parseEnvelope(text), text).toThrow(expect.objectContaining({ code: 'evidence-refused' }));
    }
    for (const text of ['', 'null', '[]', '{', 'é']) expect(() => parseEnvelope(text)).toThrow(/no DSSE envelope/);
  });
});

it('is signed by Ed25519 keys alone, and no error repeats one', () => {
  const wrong = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n';
  for (const parse of [parseSigningKey, parsePublicKey]) {
    expect(() => parse(wrong)).toThrow(expect.objectContaining({ code: 'secret-unavailable' }));
    expect(() => parse(wrong)).not.toThrow(/c2VjcmV0/);
  }
});
