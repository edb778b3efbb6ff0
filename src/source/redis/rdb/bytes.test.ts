import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildWasm } from '../../../../scripts/build-wasm.ts';
import { byteFunctions, Crc64, FREE, PAPER, RESULT, SAID } from './bytes.ts';
import { RdbDamage } from './damage.ts';
import { type PackedSink, readListpack } from './packed.ts';
import { fieldSink, memberSink, nextSink } from './sinks.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

function placed(...parts: Buffer[]) {
  const functions = byteFunctions();
  const bytes = new Uint8Array(functions.memory.buffer);
  bytes.set(Buffer.concat(parts), FREE);
  const view = new DataView(functions.memory.buffer);
  /** The digest of a key whose value is this string. */
  const digest = (): bigint => {
    functions.isKey();
    functions.isValue();
    functions.entry(RESULT, 0, 0, -1);
    return view.getBigUint64(RESULT, true);
  };
  return { functions, bytes, view, digest };
}

/** Elements of every kind: behind each its length, of one byte or two. */
const LISTPACK = ((): Buffer => {
  const numbers = [7, 1, 0xdf, 0xff, 2, 0xc1, 0, 2, 0xf1, 0, 0x80, 3, 0xf2, 1, 2, 0x83, 4, 0xf3, 1, 2, 3, 0x84, 5];
  const texts = [0x81, 0x61, 2, 0xe0, 3, 1, 2, 3, 5, 0xf0, 2, 0, 0, 0, 0x62, 0x63, 7];
  const long = [0xe0, 130, ...Buffer.alloc(130, 'long'), 1, 0x80 | 4];
  const body = [...numbers, 0xf4, ...Buffer.alloc(8, 0xfe), 9, ...texts, ...long];
  const bytes = Buffer.from([0, 0, 0, 0, 11, 0, ...body, 255]);
  bytes.writeUInt32LE(bytes.length);
  return bytes;
})();

describe('what reads bytes', () => {
  it('is what its source says', async () => {
    expect(readFileSync(here('bytes.wasm'))).toEqual(await buildWasm(here('bytes.wat')));
  });

  it('has the checksum that servers have', () => {
    const crc = new Crc64();
    // The check value of CRC-64 with Jones' polynomial.
    crc.add(Buffer.from('123456789'));
    expect(crc.digest().reverse().toString('hex')).toBe('e9c6d914c4b8d9ca');
    const long = Buffer.alloc(500_001, 'some text');
    crc.add(long);
    const whole = crc.digest();
    for (let at = 0; at < long.length; at += 77_777) crc.add(long.subarray(at, at + 77_777));
    expect(crc.digest()).toEqual(whole);
  });

  it('digests a number as the text that it is', () => {
    for (const number of [0n, -1n, 7n, 4095n, -70_000n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      const text = Buffer.from(String(number));
      const { functions, digest } = placed(text);
      functions.text(FREE, FREE + text.length);
      const ofText = digest();
      functions.number(Number(BigInt.asIntN(32, number)), Number(BigInt.asIntN(32, number >> 32n)), PAPER);
      expect(digest()).toBe(ofText);
    }
  });

  it('digests a string in pieces as it does the whole, and not what is behind it', () => {
    const text = Buffer.from('a string of some length, and more');
    const { functions, bytes, digest } = placed(text);
    functions.text(FREE, FREE + text.length);
    const whole = digest();
    bytes[FREE + text.length] = 99;
    functions.open();
    functions.more(FREE, FREE + 16);
    functions.more(FREE + 16, FREE + text.length);
    functions.close(text.length);
    expect(digest()).toBe(whole);
  });

  it('takes a listpack, and refuses it, as the reader of its elements does, whatever byte is another one', () => {
    const { functions, bytes, view } = placed();
    const digest = (): bigint => {
      functions.entry(RESULT, 0, 0, -1);
      return view.getBigUint64(RESULT, true);
    };
    const begin = (): void => {
      functions.text(FREE, FREE);
      functions.isKey();
    };
    let taken = 0;
    const differing: string[] = [];
    const compare = (listpack: Buffer, use: number, sink: PackedSink): void => {
      const end = FREE + listpack.length;
      bytes.set(listpack, FREE);
      begin();
      let expected = -1;
      try {
        expected = readListpack({ bytes, view, at: FREE, end }, sink);
      } catch (error) {
        if (!(error instanceof RdbDamage)) throw error;
      }
      const wanted = digest();
      begin();
      const count = functions.listpack(FREE, end, use);
      if (count >= 0) taken++;
      const isSame = count === expected && (count < 0 || digest() === wanted);
      // To expect it of each would take longer than all else.
      if (!isSame) differing.push(listpack.toString('hex'));
    };
    const sinks = [nextSink, memberSink, fieldSink];
    for (const [use, sink] of sinks.entries()) compare(LISTPACK, use, sink(functions));
    expect(taken).toBe(3);
    for (let at = 0; at < LISTPACK.length; at += at < 60 || at > 170 ? 1 : 40) {
      for (let byte = 0; byte < 256; byte++) {
        const changed = Buffer.from(LISTPACK);
        changed[at] = byte;
        compare(changed, at % 3, sinks[at % 3]!(functions));
      }
    }
    expect(differing).toEqual([]);
  });

  it('decompresses, and refers to nothing before the beginning', () => {
    // Three bytes as they are, then nine more from three bytes before.
    const good = Buffer.from([2, 0x61, 0x62, 0x63, 0xe0, 0, 2]);
    const { functions, bytes, view } = placed(good);
    const to = FREE + 64;
    expect(functions.decompress(FREE, FREE + good.length, to, to, to + 12, SAID)).toBe(FREE + good.length);
    expect(view.getUint32(SAID, true)).toBe(to + 12);
    expect(Buffer.from(bytes.subarray(to, to + 12)).toString()).toBe('abcabcabcabc');
    bytes[FREE + 6] = 3;
    functions.decompress(FREE, FREE + good.length, to, to, to + 12, SAID);
    expect(view.getUint32(SAID, true)).toBe(0);
  });
});
