import { HoldfastError } from '../../../foundation/errors.ts';
import { Crc64 } from './bytes.ts';

/** What DUMP gives and RESTORE takes: a value as it stands in an RDB, its kind before it. */
export interface Payload {
  value: Buffer;
  /** The version of the RDB's form. */
  version: number;
}

/** A version of two bytes, and a checksum of eight. */
const FOOT_BYTES = 10;

let crc: Crc64 | undefined;

/** @throws source-damaged where the checksum is not that of its bytes */
export function openPayload(bytes: Buffer): Payload {
  const split = bytes.length - FOOT_BYTES;
  const checksum = split < 0 ? undefined : checksumOf(bytes.subarray(0, bytes.length - 8));
  if (checksum === undefined || !bytes.subarray(bytes.length - 8).equals(checksum)) {
    throw new HoldfastError('source-damaged', 'what the server dumped of a key is damaged', {
      hint: 'Run the backup again; should it stay, the memory of the server is what to look at.',
      retryable: true,
    });
  }
  return { value: bytes.subarray(0, split), version: bytes.readUInt16LE(split) };
}

export function sealPayload({ value, version }: { value: Uint8Array; version: number }): Buffer {
  const sealed = Buffer.allocUnsafe(value.length + FOOT_BYTES);
  sealed.set(value);
  sealed.writeUInt16LE(version, value.length);
  sealed.set(checksumOf(sealed.subarray(0, value.length + 2)), value.length + 2);
  return sealed;
}

function checksumOf(bytes: Uint8Array): Buffer {
  crc ??= new Crc64();
  crc.add(bytes);
  return crc.digest();
}
