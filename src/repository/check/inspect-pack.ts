import { hash } from 'node:crypto';
import { decodePackTrailer, type PackedBlob, packTrailerLength, type SealingKey } from '../../format/index.ts';
import { messageOf } from '../../foundation/errors.ts';
import { openBlob } from '../indexed.ts';

/** Something wrong with a pack. */
export interface PackFinding {
  pack: string;
  /** The blob that is damaged, where it is one. */
  blob?: string;
  message: string;
}

/** Reads and authenticates every byte of a pack: its name, its header, and each blob in it. */
export function inspectPack(key: SealingKey, pack: string, bytes: Uint8Array): PackFinding[] {
  const findings: PackFinding[] = [];
  if (hash('sha256', bytes, 'hex') !== pack) {
    findings.push({ pack, message: 'its content does not match its name' });
  }
  let blobs: PackedBlob[];
  try {
    const trailer = bytes.subarray(bytes.byteLength - packTrailerLength(bytes.subarray(-4), bytes.byteLength));
    blobs = decodePackTrailer(key, trailer, bytes.byteLength);
  } catch (error) {
    return [...findings, { pack, message: messageOf(error) }];
  }
  for (const blob of blobs) {
    try {
      openBlob(key, bytes.subarray(blob.offset, blob.offset + blob.length), blob.id, blob.uncompressedLength);
    } catch (error) {
      findings.push({ pack, blob: blob.id, message: messageOf(error) });
    }
  }
  return findings;
}
