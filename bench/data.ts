/** The data of the benchmarks: the same bytes on every machine and in every run. */

import { closeSync, mkdirSync, openSync, statSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export type Random = () => number;

/** Numbers from 0 to 2^32 - 1. Source: G. Marsaglia, "Xorshift RNGs" (2003). */
export function random(seed: number): Random {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const MEBIBYTE = 1024 * 1024;
const WORDS =
  'order shipment invoice customer account payment pending returned delivered cancelled priority standard express note about with from after before item parcel box street road avenue north south east west first second third'.split(
    ' ',
  );

function word(next: Random): string {
  return WORDS[next() % WORDS.length]!;
}

/** A row as a database's text dump has it: numbers, times, a few states, some words. */
function row(id: number, next: Random): string {
  const time = new Date(1_600_000_000_000 + id * 1009).toISOString();
  const amount = (next() % 1_000_000) / 100;
  const reference = next().toString(16).padStart(8, '0') + next().toString(16).padStart(8, '0');
  return `${id}\t${next() % 50_000}\t${time}\t${amount}\t${word(next)}\t${reference}\t${word(next)} ${word(next)} ${word(next)} ${next() % 1000}\n`;
}

/** Writes a file of pieces until it has so many bytes. */
function writeOf(path: string, sizeBytes: number, piece: () => string | Uint8Array): void {
  const file = openSync(path, 'w');
  let written = 0;
  while (written < sizeBytes) written += writeSync(file, piece() as string);
  closeSync(file);
}

export function writeTable(path: string, sizeBytes: number, seed: number): void {
  const next = random(seed);
  let id = seed * 1_000_000;
  writeOf(path, sizeBytes, () => {
    let text = '';
    while (text.length < MEBIBYTE) text += row(id++, next);
    return text;
  });
}

/** Pages of 8 KiB as a database has them on disk: a header, pointers, free space, rows filled from the end. */
export function writePages(path: string, sizeBytes: number, seed: number): void {
  const next = random(seed);
  let id = seed * 1_000_000;
  writeOf(path, sizeBytes, () => {
    const pages = Buffer.alloc(MEBIBYTE);
    for (let start = 0; start < MEBIBYTE; start += 8192) {
      pages.writeUInt32LE(next(), start);
      let end = start + 8192;
      for (let slot = start + 24; slot < end - 220; slot += 4) {
        const text = row(id++, next);
        end -= pages.write(text, end - text.length, 'latin1');
        pages.writeUInt32LE(end - start, slot);
      }
    }
    return pages;
  });
}

export function writeNoise(path: string, sizeBytes: number, seed: number): void {
  const next = random(seed);
  writeOf(path, sizeBytes, () => {
    const words = new Uint32Array(MEBIBYTE / 4);
    for (let at = 0; at < words.length; at++) words[at] = next();
    return new Uint8Array(words.buffer);
  });
}

/** Files of 100 bytes to 16 KiB, a hundred to a directory. */
export function writeSmallFiles(directory: string, count: number, seed: number): void {
  const next = random(seed);
  for (let index = 0; index < count; index++) {
    const parent = join(directory, `d${Math.floor(index / 100)}`);
    if (index % 100 === 0) mkdirSync(parent, { recursive: true });
    let text = '';
    const sizeBytes = 100 + ((next() % 16_284) >> (next() % 5));
    while (text.length < sizeBytes) text += `${word(next)} ${next()}\n`;
    writeFileSync(join(parent, `f${index}`), text);
  }
}

/** All kinds together: half of it table text, the rest pages, bytes that cannot be compressed, and small files. */
export function writeMixed(directory: string, mebibytes: number): void {
  mkdirSync(join(directory, 'tables'), { recursive: true });
  const share = (part: number): number => Math.round(mebibytes * part * MEBIBYTE);
  for (const table of [1, 2, 3, 4]) writeTable(join(directory, 'tables', `${table}`), share(0.13), table);
  writePages(join(directory, 'pages'), share(0.24), 5);
  writeNoise(join(directory, 'media'), share(0.14), 6);
  writeSmallFiles(join(directory, 'small'), Math.round(mebibytes * 20), 7);
}

/** Changes about one hundredth of the bytes: runs of 64 KiB in the tables and pages, at other places in each round. */
export function edit(directory: string, round: number): void {
  const next = random(1000 + round);
  for (const name of ['tables/1', 'tables/2', 'tables/3', 'tables/4', 'pages']) {
    const path = join(directory, name);
    const file = openSync(path, 'r+');
    const { size } = statSync(path);
    for (let edited = 0; edited < size / 100; edited += 65_536) {
      let text = '';
      while (text.length < 65_536) text += row(next() % 1_000_000, next);
      writeSync(file, text.slice(0, 65_536), next() % Math.max(1, size - 65_536), 'latin1');
    }
    closeSync(file);
  }
}

/** Gives every large file another time, so that every tool reads it again. */
export function touch(directory: string, round: number): void {
  const time = 1_700_000_000 + round * 60;
  for (const name of ['tables/1', 'tables/2', 'tables/3', 'tables/4', 'pages', 'media']) {
    utimesSync(join(directory, name), time, time);
  }
}
