import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compress, decompress, STRATEGIES, type Strategy, strategyFor } from './compression.ts';
import { loadNativeCodecs } from './native-codecs.ts';

const SOURCES = fileURLToPath(new URL('..', import.meta.url));
const codecs = loadNativeCodecs({ encrypt: Buffer.alloc(32), macK: Buffer.alloc(16) })!;

function linesOf(bytes: number, line: (index: number, digest: string) => string): Buffer {
  const lines: string[] = [];
  for (let index = 0, length = 0; length < bytes; index++) {
    const text = line(index, createHash('sha256').update(`${index}`).digest('hex'));
    lines.push(text);
    length += text.length;
  }
  return Buffer.from(lines.join('')).subarray(0, bytes);
}

/** Rows of a table: most of what is in them is in no other one. */
const table = linesOf(
  1 << 20,
  (index, digest) => `${index}\t${digest.slice(0, 30)}\t${parseInt(digest.slice(0, 8), 16)}\n`,
);
/** Programs: this one's. */
const source = Buffer.concat(
  readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => readFileSync(join(SOURCES, name))),
).subarray(0, 1 << 20);

const sizeBy = (plain: Uint8Array, strategy: Strategy): number =>
  zstdCompressSync(plain, { params: STRATEGIES[strategy], chunkSize: plain.length + 1024 }).length;

describe('compression', () => {
  it.each([
    ['table text', table, 'fast'],
    ["a program's source", source, 'dfast'],
  ] as const)('finds out by a sample what suits %s', (_, plain, expected) => {
    expect(strategyFor(plain, sizeBy)).toBe(expected);
    expect(sizeBy(plain, 'fast') <= sizeBy(plain, 'dfast') * 1.01).toBe(expected === 'fast');
  });

  it.each([
    ['table text', table],
    ["a program's source", source],
  ])('makes the same of %s by either way of calling zstd, and it comes back', (_, plain) => {
    const room = Buffer.alloc(plain.length);
    const compressedBytes = codecs.compress(plain, room)!;
    const compressed = compress(plain);
    expect(compressedBytes).toBe(compressed.length);
    expect(compressedBytes).toBe(sizeBy(plain, strategyFor(plain, sizeBy)));
    for (const frame of [compressed, room.subarray(0, compressedBytes)]) {
      expect(decompress(frame, plain.length).equals(plain)).toBe(true);
    }
  });

  it('takes no sample of what is short', () => {
    const neverAsked = (): number => expect.fail('a sample was compressed');
    expect(strategyFor(table.subarray(0, 512 * 1024 - 1), neverAsked)).toBe('dfast');
  });
});
