import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../foundation/errors.ts';
import { newChunkerPolynomial } from './polynomial.ts';
import { asId, asRecord, parseJsonDocument } from './sealed-json.ts';
import { type SealingKey, seal, unseal } from './sealing.ts';

/** A repository's configuration: sealed, but neither compressed nor marked with an encoding. */
export interface RepositoryConfig {
  version: 1 | 2;
  /** The repository's id (hex). */
  id: string;
  chunkerPolynomial: string;
}

export function newConfig(): RepositoryConfig {
  return { version: 2, id: randomBytes(32).toString('hex'), chunkerPolynomial: newChunkerPolynomial() };
}

export function encodeConfig(key: SealingKey, config: RepositoryConfig): Buffer {
  const document = { version: config.version, id: config.id, chunker_polynomial: config.chunkerPolynomial };
  return seal(key, Buffer.from(JSON.stringify(document)));
}

/** @throws repository-damaged, repository-unsupported for a format that is neither 1 nor 2 */
export function decodeConfig(key: SealingKey, sealed: Uint8Array): RepositoryConfig {
  const document = asRecord(parseJsonDocument(unseal(key, sealed).toString('utf8')), 'the configuration');
  const version = document['version'];
  if (version !== 1 && version !== 2) {
    throw new HoldfastError(
      'repository-unsupported',
      `the repository has ${typeof version === 'number' ? `format ${version}` : 'a format that is no number'}; 1 and 2 are known`,
      {
        hint: 'A newer version of Holdfast may know it.',
      },
    );
  }
  const polynomial = document['chunker_polynomial'];
  if (typeof polynomial !== 'string' || !/^[0-9a-f]{1,16}$/.test(polynomial)) {
    throw new HoldfastError('repository-damaged', 'the configuration has no polynomial');
  }
  return { version, id: asId(document['id'], "the repository's id"), chunkerPolynomial: polynomial };
}
