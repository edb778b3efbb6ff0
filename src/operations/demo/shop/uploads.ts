import { createCipheriv, hash } from 'node:crypto';
import { chmod, link, lutimes, mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { noProgress, type Progress } from '../../../foundation/progress.ts';

export interface Uploads {
  /** Regular files by name; a hard link counts again. */
  files: number;
  bytes: number;
}

const INVOICES = 260;
const PICTURES = 130;
const PICTURE_SMALLEST_BYTES = 200_000;
const PICTURE_SPREAD_BYTES = 205_000;
const NEWEST_MS = Date.UTC(2026, 0, 31, 12);
const DAY_MS = 86_400_000;

/** A file to be: its name as bytes, since names need not be text. */
interface Upload {
  path: Buffer;
  contents: Buffer;
  mode?: number;
}

/**
 * Fills a directory, which must not exist, with what the shop's customers and staff uploaded: about 400 files and 40 MB,
 * the same on every run, with every sort of name and entry that a backup can get wrong.
 */
export async function writeUploads(directory: string, progress: Progress = noProgress): Promise<Uploads> {
  const uploads = [...invoices(), ...pictures(), ...oddities()];
  progress.phase('writing uploads', { items: uploads.length + 1 });
  const inside = (path: Buffer | string) => Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path)]);
  const directories = new Set(['']);
  let bytes = 0;
  for (const [index, { path, contents, mode }] of uploads.entries()) {
    for (const parent of parentsOf(path)) directories.add(parent);
    await mkdir(inside(path.subarray(0, path.lastIndexOf('/') + 1)), { recursive: true });
    await writeFile(inside(path), contents, { flag: 'wx' });
    await chmod(inside(path), mode ?? 0o644);
    await utimes(inside(path), ...timesOf(index));
    bytes += contents.length;
    progress.advance({ items: 1, bytes: contents.length });
  }
  await link(inside('pictures/0001/front.jpg'), inside('pictures/cover.jpg'));
  await symlink('0007/front.jpg', inside('pictures/featured.jpg'));
  await lutimes(inside('pictures/featured.jpg'), ...timesOf(7));
  await symlink('../not/uploaded/yet', inside('letters/attachment'));
  await lutimes(inside('letters/attachment'), ...timesOf(8));
  await mkdir(inside('incoming'), { mode: 0o700 });
  directories.add('incoming');
  progress.advance({ items: 1 });
  // Whatever is made in a directory changes its time: the deepest are set first, and last of all.
  const deepestFirst = [...directories].sort((one, other) => other.length - one.length);
  for (const [index, each] of deepestFirst.entries()) await utimes(inside(each), ...timesOf(index));
  return { files: uploads.length + 1, bytes };
}

function* invoices(): Iterable<Upload> {
  for (let number = 1; number <= INVOICES; number++) {
    const year = 2024 + (number % 3);
    const month = String(1 + (number % 12)).padStart(2, '0');
    const name = `invoices/${year}/${month}/HF-${100_000 + number}.txt`;
    yield { path: Buffer.from(name), contents: Buffer.from(invoiceText(number)) };
  }
}

function invoiceText(number: number): string {
  const cents = (line: number) => 199 + ((number * 7919 + line * 104_729) % 18_000);
  const lines = Array.from({ length: 1 + (number % 6) }, (_, line) => cents(line));
  const money = (amount: number) => (amount / 100).toFixed(2).padStart(10);
  const rows = lines.map(
    (amount, line) => `  ${line + 1}. item ${1 + ((number * 31 + line) % 1000)}  ${money(amount)}`,
  );
  const total = lines.reduce((sum, amount) => sum + amount, 0);
  return `Invoice ${100_000 + number}\n\n${rows.join('\n')}\n\n  total    ${money(total)} EUR\n`;
}

function* pictures(): Iterable<Upload> {
  for (let number = 1; number <= PICTURES; number++) {
    const sizeBytes = PICTURE_SMALLEST_BYTES + ((number * 48_271) % PICTURE_SPREAD_BYTES);
    const name = `pictures/${String(number).padStart(4, '0')}/${number % 2 === 1 ? 'front' : 'back'}.jpg`;
    yield { path: Buffer.from(name), contents: noise(name, sizeBytes) };
  }
}

/** Bytes that do not compress, as a picture's do not; a cipher's key stream over zeros. */
function noise(seed: string, sizeBytes: number): Buffer {
  const key = hash('sha256', seed, 'buffer');
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

function* oddities(): Iterable<Upload> {
  const text = (name: string, contents: string) => ({ path: Buffer.from(name), contents: Buffer.from(contents) });
  yield text('empty.csv', '');
  yield text('exports/customers of 2025 (final, really).csv', 'id,name\n1,Rosa\n');
  yield text(`exports/Q4 "best sellers" and 'others'.csv`, 'sku,sold\nHF-00007,412\n');
  yield text('letters/two\nlines.txt', 'The name of this file has a newline in it.\n');
  yield text('letters/Grüße aus Köln.txt', 'Schöne Grüße!\n');
  yield text('letters/-rf *.txt', 'A name that a careless script would run.\n');
  yield text('letters/back\\slash.txt', 'Not a directory.\n');
  yield { ...text('tools/import.sh', '#!/bin/sh\necho importing\n'), mode: 0o755 };
  yield { ...text('tools/private.key.txt', 'not a real key\n'), mode: 0o600 };
  // macOS takes no other names than UTF-8 ones.
  if (process.platform !== 'darwin') {
    yield { path: Buffer.from('letters/Gr\xfc\xdfe.txt', 'latin1'), contents: Buffer.from('Named in Latin-1.\n') };
  }
}

/** The directories that a path lies in, without the one that holds all. */
function parentsOf(path: Buffer): string[] {
  const parts = path.toString('latin1').split('/').slice(0, -1);
  return parts.map((_, depth) => parts.slice(0, depth + 1).join('/'));
}

/** Access and modification time, in seconds, the latter with a fraction. */
function timesOf(index: number): [number, number] {
  const modifiedMs = NEWEST_MS - index * 1.37 * DAY_MS + 0.125;
  return [NEWEST_MS / 1000, modifiedMs / 1000];
}
