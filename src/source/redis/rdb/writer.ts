import { Crc64 } from './bytes.ts';
import type { Payload } from './payload.ts';
import { OPCODE } from './types.ts';

/** From here on Valkey marks its form as its own. */
const FIRST_VALKEY_FORM = 80;

/** Writes an RDB of values that a server dumped. */
export class RdbWriter {
  readonly #version: number;
  readonly #server: string;
  readonly #serverVersion: string;
  readonly #checksum = new Crc64();

  constructor(version: number, server: 'Redis' | 'Valkey', serverVersion: string) {
    this.#version = version;
    this.#server = server;
    this.#serverVersion = serverVersion;
  }

  head(): Buffer {
    const magic =
      this.#version >= FIRST_VALKEY_FORM
        ? `VALKEY${String(this.#version).padStart(3, '0')}`
        : `REDIS${String(this.#version).padStart(4, '0')}`;
    const name = this.#server === 'Valkey' ? 'valkey-ver' : 'redis-ver';
    return this.raw(
      Buffer.concat([
        Buffer.from(magic, 'latin1'),
        Buffer.of(OPCODE.aux),
        ...stringOf(Buffer.from(name)),
        ...stringOf(Buffer.from(this.#serverVersion)),
      ]),
    );
  }

  database(number: number): Buffer {
    return this.raw(Buffer.concat([Buffer.of(OPCODE.database), lengthOf(number)]));
  }

  /** A key, to be given to `raw`, alone or with others. */
  entry(key: Buffer, { value }: Payload, expiresMs: number | undefined): Buffer[] {
    return [...timeOf(expiresMs), value.subarray(0, 1), ...stringOf(key), value.subarray(1)];
  }

  /** What stands in an RDB as it is. */
  raw(bytes: Buffer): Buffer {
    this.#checksum.add(bytes);
    return bytes;
  }

  end(): Buffer {
    const end = this.raw(Buffer.of(OPCODE.end));
    return Buffer.concat([end, this.#checksum.digest()]);
  }
}

function timeOf(expiresMs: number | undefined): Buffer[] {
  if (expiresMs === undefined) return [];
  const bytes = Buffer.alloc(9);
  bytes[0] = OPCODE.expiresMs;
  bytes.writeBigInt64LE(BigInt(expiresMs), 1);
  return [bytes];
}

function stringOf(bytes: Buffer): Buffer[] {
  return [lengthOf(bytes.length), bytes];
}

function lengthOf(length: number): Buffer {
  if (length < 64) return Buffer.of(length);
  if (length < 16_384) return Buffer.of(0x40 | (length >> 8), length & 0xff);
  const bytes = Buffer.alloc(5);
  bytes[0] = 0x80;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}
