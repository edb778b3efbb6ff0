import { hash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync } from 'node:fs';
import {
  byteString,
  bytesOf,
  decodeAttribute,
  displayName,
  type ExtendedAttribute,
  systemPermissions,
  type TreeNode,
} from '../../format/index.ts';
import { isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { readAttributes } from '../../foundation/extended-attributes.ts';
import type { Progress } from '../../foundation/progress.ts';
import { readAt } from '../../foundation/read-at.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { Check } from '../index.ts';
import { nodeOf } from './node-of.ts';

/** As many differences are named; of the others there is a count. */
const NAMED_DIFFERENCES = 5;

/** Holds a restored directory against the snapshot: every entry, its metadata, and the hash of every blob of every file. */
export class DirectoryComparison {
  readonly #reader: SnapshotReader;
  readonly #progress: Progress;
  readonly #differences: string[] = [];
  /** Files with several names: in which file of the directory each was found, and by which name. */
  readonly #linked = new Map<string, { inode: unknown; name: string }>();
  #entries = 0;
  #bytes = 0;

  constructor(reader: SnapshotReader, progress: Progress) {
    this.#reader = reader;
    this.#progress = progress;
  }

  /** @param roots the entries of the snapshot's root directory that were restored into `directory` */
  async compare(roots: TreeNode[], directory: string): Promise<Check> {
    this.#progress.phase('comparing files');
    await this.#compareEntries(roots, Buffer.from(directory), '');
    const count = this.#differences.length;
    const more = count > NAMED_DIFFERENCES ? `, and ${count - NAMED_DIFFERENCES} more` : '';
    return {
      name: 'files',
      result: count === 0 ? 'passed' : 'failed',
      detail:
        count === 0
          ? `${this.#entries} entries, ${this.#bytes} bytes, all equal`
          : `${this.#differences.slice(0, NAMED_DIFFERENCES).join('; ')}${more}`,
    };
  }

  async #compareEntries(nodes: TreeNode[], directory: Buffer, prefix: string): Promise<void> {
    const expected = new Set(nodes.map(({ name }) => name));
    for (const bytes of readdirSync(directory, { encoding: 'buffer' })) {
      if (!expected.has(byteString(bytes))) this.#differ(`${prefix}/${byteString(bytes)}`, 'is not in the snapshot');
    }
    for (const node of nodes) {
      const path = Buffer.concat([directory, Buffer.from('/'), bytesOf(node.name)]);
      await this.#compareEntry(node, path, `${prefix}/${node.name}`);
    }
  }

  async #compareEntry(node: TreeNode, path: Buffer, name: string): Promise<void> {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) {
      this.#differ(name, 'is missing');
      return;
    }
    this.#entries++;
    const found = nodeOf(node.name, path, stats);
    if (found.type !== node.type) {
      this.#differ(name, `is a ${found.type}, not a ${node.type}`);
      return;
    }
    if (node.type === 'dir') {
      await this.#compareEntries(await this.#reader.entries(node.subtree!), path, name);
    } else if (node.type === 'file') {
      this.#compareContent(node, path, name);
    }
    this.#compareMetadata(node, found, name);
    this.#compareAttributes(node, path, name);
    this.#progress.advance({ items: 1 });
  }

  #compareMetadata(node: TreeNode, found: TreeNode, name: string): void {
    if (found.linktarget !== node.linktarget) this.#differ(name, 'leads elsewhere');
    if (found.device !== node.device) this.#differ(name, 'is another device');
    if (node.type === 'file' && Number(node.links ?? 1) > 1) this.#compareLink(node, found, name);
    const isLink = node.type === 'symlink';
    if (!isLink && systemPermissions(found.mode ?? 0) !== systemPermissions(node.mode ?? 0))
      this.#differ(name, 'has other permissions');
    if (found.mtime !== node.mtime) this.#differ(name, `was changed at ${found.mtime}, not at ${node.mtime}`);
    const mayGiveAway = process.getuid?.() === 0;
    if (mayGiveAway && (found.uid !== node.uid || found.gid !== node.gid)) this.#differ(name, 'has another owner');
  }

  /** Only root may set what is the system's own: for others it is not compared. */
  #compareAttributes(node: TreeNode, path: Buffer, name: string): void {
    const found = describeAttributes(readAttributes(path));
    const expected = describeAttributes((node.extended_attributes ?? []).map(decodeAttribute));
    for (const attribute of new Set([...found.keys(), ...expected.keys()])) {
      const isOwn = process.getuid?.() === 0 || /^(user|system)\./.test(attribute);
      if (isOwn && found.get(attribute) !== expected.get(attribute))
        this.#differ(name, `has another attribute ${displayName(attribute)}`);
    }
  }

  #compareLink(node: TreeNode, found: TreeNode, name: string): void {
    const identity = `${node.device_id}:${node.inode}`;
    const first = this.#linked.get(identity);
    if (first === undefined) this.#linked.set(identity, { inode: found.inode, name });
    else if (first.inode !== found.inode) this.#differ(name, `is not the same file as ${displayName(first.name)}`);
  }

  #compareContent(node: TreeNode, path: Buffer, name: string): void {
    try {
      const difference = this.#contentDifference(node, path);
      if (difference !== undefined) this.#differ(name, difference);
    } catch (error) {
      if (systemCode(error) === undefined && !isHoldfastError(error)) throw error;
      this.#differ(name, `cannot be read: ${messageOf(error)}`);
    }
  }

  #contentDifference(node: TreeNode, path: Buffer): string | undefined {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      let position = 0;
      for (const id of node.content ?? []) {
        const bytes = readAt(descriptor, Buffer.allocUnsafe(this.#reader.plainLength(id)), position);
        if (hash('sha256', bytes, 'hex') !== id) return `differs from byte ${position} on`;
        position += bytes.length;
        this.#progress.advance({ bytes: bytes.length });
      }
      this.#bytes += position;
      return fstatSync(descriptor).size === position
        ? undefined
        : `has ${fstatSync(descriptor).size} bytes, not ${position}`;
    } finally {
      closeSync(descriptor);
    }
  }

  #differ(name: string, how: string): void {
    this.#differences.push(`${displayName(name)} ${how}`);
  }
}

/** Values (base64) by name (byte strings). */
function describeAttributes(attributes: readonly ExtendedAttribute[]): Map<string, string> {
  return new Map(attributes.map(({ name, value }) => [byteString(name), value.toString('base64')]));
}
