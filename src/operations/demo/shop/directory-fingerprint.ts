import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import type { DirectoryFingerprint } from './compare.ts';

/**
 * What a directory holds, by path below it, `.` being itself: type, mode, owner and modification time of every entry;
 * size, SHA-256 and other names of a file; the target of a link.
 */
export async function fingerprintDirectory(directory: string): Promise<DirectoryFingerprint> {
  const survey: Survey = { files: 0, bytes: 0, things: new Map(), firstNames: new Map() };
  const root = Buffer.from(directory);
  await visit(root, '.', await lstat(root, { bigint: true }), survey);
  const { files, bytes, things } = survey;
  return { files, bytes, things };
}

interface Survey {
  files: number;
  bytes: number;
  things: Map<string, string>;
  /** The name under which a file was met first, by its identity on disk. */
  firstNames: Map<string, string>;
}

async function visit(path: Buffer, name: string, entry: BigIntStats, survey: Survey): Promise<void> {
  const what = await describe(path, name, entry, survey);
  survey.things.set(name, `${what}, ${permissions(entry)}, mtime ${entry.mtimeNs}`);
  if (!entry.isDirectory()) return;
  const children = await readdir(path, { encoding: 'buffer' });
  for (const child of children.sort(Buffer.compare)) {
    const childPath = Buffer.concat([path, Buffer.from('/'), child]);
    const childName = name === '.' ? shown(child) : `${name}/${shown(child)}`;
    await visit(childPath, childName, await lstat(childPath, { bigint: true }), survey);
  }
}

async function describe(path: Buffer, name: string, entry: BigIntStats, survey: Survey): Promise<string> {
  if (entry.isDirectory()) return 'directory';
  if (entry.isSymbolicLink()) return `link to ${shown(await readlink(path, { encoding: 'buffer' }))}`;
  if (!entry.isFile()) return 'special file';
  survey.files++;
  const identity = `${entry.dev}:${entry.ino}`;
  const firstName = survey.firstNames.get(identity) ?? name;
  if (firstName === name) survey.bytes += Number(entry.size);
  survey.firstNames.set(identity, firstName);
  const sameAs = firstName === name ? '' : `, the same as ${firstName}`;
  return `file of ${entry.size} bytes, sha256 ${await digestOf(path)}${sameAs}`;
}

function permissions(entry: BigIntStats): string {
  return `mode ${(entry.mode & 0o7777n).toString(8)}, owner ${entry.uid}:${entry.gid}`;
}

async function digestOf(path: Buffer): Promise<string> {
  const digest = createHash('sha256');
  for await (const bytes of createReadStream(path)) digest.update(bytes as Buffer);
  return digest.digest('hex');
}

/** A name on one line, and unlike any other: bytes that are not UTF-8 in hexadecimal. */
function shown(name: Buffer): string {
  return isUtf8(name) ? JSON.stringify(name.toString()).slice(1, -1) : `bytes:${name.toString('hex')}`;
}
