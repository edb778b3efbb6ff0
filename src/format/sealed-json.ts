import { constants } from 'node:buffer';
import { releaseBuffer } from '../foundation/buffers.ts';
import { HoldfastError, messageOf } from '../foundation/errors.ts';
import { compress, contentBytes, decompress } from './compression.ts';
import { parseExactJson, stringifyExactJson } from './exact-json.ts';
import { type SealingKey, seal, unseal } from './sealing.ts';

/**
 * The sealed JSON documents of a repository: index, snapshots and locks.
 * Format 2 seals 0x02 ‖ zstd(JSON); format 1 seals the JSON itself, which begins with `{` or `[`.
 */

const COMPRESSED = 0x02;
const FIRST_OF_JSON = [0x7b, 0x5b];
/** What one string can hold: far above any document that a writer makes. */
export const DOCUMENT_LIMIT_BYTES = constants.MAX_STRING_LENGTH;

export function sealJson(key: SealingKey, value: unknown, formatVersion: 1 | 2): Buffer {
  return sealJsonText(key, Buffer.from(stringifyExactJson(value), 'utf8'), formatVersion);
}

/** The same of JSON text in UTF-8, which is taken over. */
export function sealJsonText(key: SealingKey, json: Buffer, formatVersion: 1 | 2): Buffer {
  if (formatVersion === 1) return seal(key, json);
  const compressed = compress(json);
  // An index has megabytes of it: left to the collector, it would add up.
  releaseBuffer(json);
  const sealed = seal(key, Buffer.concat([Buffer.of(COMPRESSED), compressed]));
  releaseBuffer(compressed);
  return sealed;
}

/** @throws repository-damaged when it was not sealed by this key, or is no JSON */
export function unsealJson(key: SealingKey, sealed: Uint8Array): unknown {
  return parseJsonDocument(unsealJsonText(key, sealed).toString('utf8'));
}

/** The JSON text of a sealed document, in UTF-8. @throws repository-damaged when it was not sealed by this key */
export function unsealJsonText(key: SealingKey, sealed: Uint8Array): Buffer {
  const plain = unseal(key, sealed);
  const first = plain[0];
  if (first !== COMPRESSED && !FIRST_OF_JSON.includes(first ?? 0)) {
    throw new HoldfastError(
      'repository-unsupported',
      `a sealed document has the unknown encoding ${first ?? 'of no bytes'}`,
      {
        hint: 'A newer version of restic or Holdfast may have written it.',
      },
    );
  }
  if (first !== COMPRESSED) return plain;
  const json = decompress(plain.subarray(1), DOCUMENT_LIMIT_BYTES);
  releaseBuffer(plain);
  if (json.length > DOCUMENT_LIMIT_BYTES) throw new HoldfastError('repository-damaged', 'a document is too large');
  return json;
}

/** How long the JSON in an unsealed document says that it is, if it is compressed and says so. It may be wrong. */
export function plainLengthOfText(plain: Uint8Array): number | undefined {
  return plain[0] === COMPRESSED ? contentBytes(plain.subarray(1)) : undefined;
}

/** @throws repository-damaged when the text is no JSON */
export function parseJsonDocument(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch (cause) {
    throw new HoldfastError('repository-damaged', `a document is not JSON: ${messageOf(cause)}`, { cause });
  }
}

/** @throws repository-damaged unless `value` is a JSON object */
export function asRecord(value: unknown, what: string): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new HoldfastError('repository-damaged', `${what} is not an object`);
  }
  return value as Record<string, unknown>;
}

export const ID_PATTERN = /^[0-9a-f]{64}$/;

/** @throws repository-damaged unless `value` is an id: 64 hexadecimal digits */
export function asId(value: unknown, what: string): string {
  if (typeof value !== 'string' || !ID_PATTERN.test(value)) {
    throw new HoldfastError('repository-damaged', `${what} is not an id`);
  }
  return value;
}
