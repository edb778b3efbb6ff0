import { readFileSync } from 'node:fs';

/** The functions of ./bytes.wat. Addresses are of its memory; lengths and times are whole numbers, times in milliseconds. */
export interface ByteFunctions {
  readonly memory: WebAssembly.Memory & { grow(pages: number): number };
  begin(): void;
  check(at: number, end: number): void;
  checked(to: number): void;
  open(): void;
  more(at: number, end: number): void;
  close(length: number): void;
  text(at: number, end: number): void;
  number(low: number, high: number, paper: number): void;
  isKey(): void;
  isValue(): void;
  isMember(): void;
  isNext(): void;
  isField(): void;
  isFieldValue(expiresMs: number): void;
  isScored(score: number): void;
  nextNumber(value: number): void;
  entry(to: number, type: number, database: number, expiresMs: number): void;
  count(type: number, database: number, expiresMs: number): void;
  entries(
    at: number,
    end: number,
    room: number,
    roomEnd: number,
    database: number,
    expiresMs: number,
    expiredBeforeMs: number,
  ): number;
  listpack(at: number, end: number, use: number): number;
  decompress(from: number, end: number, oldest: number, to: number, toEnd: number, said: number): number;
}

let compiled: WebAssembly.Module | undefined;

/** A memory of its own, with what works in it. */
export function byteFunctions(): ByteFunctions {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('./bytes.wasm', import.meta.url)));
  const functions = new WebAssembly.Instance(compiled, {}).exports as unknown as ByteFunctions;
  functions.begin();
  return functions;
}

/** Behind the tables: where digests and checksums are written to, and numbers. */
export const RESULT = 16_384;
export const PAPER = RESULT + 64;
export const SAID = RESULT + 32;
/** What was counted: a row for each type, of keys, of those that expire, and of digests; then how many had expired. */
export const COUNTS = RESULT + 128;
export const COUNT_BYTES = 24;
export const EXPIRED = RESULT + 296;
/** From here on the memory is whoever's it is. */
export const FREE = 32_768;

/** The checksum that a server writes behind an RDB and a dumped value: CRC-64 of Jones' polynomial. */
export class Crc64 {
  readonly #functions = byteFunctions();
  readonly #view = new Uint8Array(this.#functions.memory.buffer);

  add(bytes: Uint8Array): void {
    const room = this.#view.length - FREE;
    for (let at = 0; at < bytes.length; at += room) {
      const part = bytes.subarray(at, at + room);
      this.#view.set(part, FREE);
      this.#functions.check(FREE, FREE + part.length);
    }
  }

  /** Its eight bytes, in the order in which servers write them; another one begins. */
  digest(): Buffer {
    this.#functions.checked(RESULT);
    return Buffer.from(this.#view.slice(RESULT, RESULT + 8));
  }
}
