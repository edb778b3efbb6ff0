import { hash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, statSync } from 'node:fs';
import {
  byteString,
  bytesOf,
  decodeAttribute,
  displayName,
  systemPermissions,
  type TreeNode,
} from '../../format/index.ts';
import { isHoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { type ExtendedAttribute, readAttributes } from '../../foundation/extended-attributes.ts';
import type { Progress } from '../../foundation/progress.ts';
import { readAt } from '../../foundation/read-at.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { Check, Discrepancy, RestoreContext } from '../index.ts';
import { nodeOf } from './node-of.ts';

/** As many differences are named; of the others there is a count. */
const NAMED_DIFFERENCES = 5;

/** What of a directory is not held against the snapshot, which was never to have it. By paths as byte strings. */
export interface Scope {
  /** Whether something that the snapshot does not have is no difference. */
  leavesOut(path: string): boolean;
  /** Whether a directory only leads to what was captured: it may hold anything beside, and have any metadata. */
  leadsTo(path: string): boolean;
}

const EVERYTHING: Scope = { leavesOut: () => false, leadsTo: () => false };

/** Holds a directory against the snapshot: every entry, its metadata, and the hash of every blob of every file. */
export class DirectoryComparison {
  /** What differs, by paths in the snapshot. */
  readonly differences: Discrepancy[] = [];
  /** How many entries of the snapshot were found. */
  entries = 0;
  readonly #reader: SnapshotReader;
  readonly #progress: Progress;
  readonly #scope: Scope;
  readonly #signal: AbortSignal;
  /** Files with several names: in which file of the directory each was found, and by which name. */
  readonly #linked = new Map<string, { inode: unknown; name: string }>();
  #bytes = 0;

  constructor(
    reader: SnapshotReader,
    { progress, signal }: Pick<RestoreContext, 'progress' | 'signal'>,
    scope = EVERYTHING,
  ) {
    this.#reader = reader;
    this.#progress = progress;
    this.#signal = signal;
    this.#scope = scope;
  }

  /**
   * @param roots the entries of the snapshot's root directory
   * @param directory where these are, or should be; empty for the system's own root
   */
  async compare(roots: TreeNode[], directory: string): Promise<Check> {
    this.#progress.phase('comparing files');
    await this.#compareEntries(roots, Buffer.from(directory), '');
    const count = this.differences.length;
    const named = this.differences.slice(0, NAMED_DIFFERENCES).map(({ item, detail }) => `${item} ${detail}`);
    const more = count > NAMED_DIFFERENCES ? `, and ${count - NAMED_DIFFERENCES} more` : '';
    return {
      name: 'files',
      result: count === 0 ? 'passed' : 'failed',
      detail: count === 0 ? `${this.entries} entries, ${this.#bytes} bytes, all equal` : `${named.join('; ')}${more}`,
    };
  }

  async #compareEntries(nodes: TreeNode[], directory: Buffer, prefix: string): Promise<void> {
    this.#signal.throwIfAborted();
    const expected = new Set(nodes.map(({ name }) => name));
    for (const name of this.#scope.leadsTo(prefix) ? [] : this.#list(directory, prefix)) {
      const path = `${prefix}/${name}`;
      if (!expected.has(name) && !this.#scope.leavesOut(path)) this.#differ(path, 'extra', 'is not in the snapshot');
    }
    for (const node of nodes) {
      const path = Buffer.concat([directory, Buffer.from('/'), bytesOf(node.name)]);
      await this.#look(`${prefix}/${node.name}`, () => this.#compareEntry(node, path, `${prefix}/${node.name}`));
    }
  }

  /** The names of a directory's entries as byte strings. */
  #list(directory: Buffer, prefix: string): string[] {
    try {
      return readdirSync(directory.length === 0 ? '/' : directory, { encoding: 'buffer' }).map(byteString);
    } catch (error) {
      this.#cannotRead(prefix, error);
      return [];
    }
  }

  /** What cannot be looked at is not equal, and keeps nothing else from being looked at. */
  async #look(name: string, look: () => Promise<void>): Promise<void> {
    try {
      await look();
    } catch (error) {
      this.#cannotRead(name, error);
    }
  }

  /** @throws what is no error of the system */
  #cannotRead(name: string, error: unknown): void {
    if (systemCode(error) === undefined) throw error;
    this.#differ(name, 'unreadable', `cannot be read: ${messageOf(error)}`);
  }

  async #compareEntry(node: TreeNode, path: Buffer, name: string): Promise<void> {
    const leadsOn = this.#scope.leadsTo(name);
    // What leads to a path of the plan may be a link.
    const stats = (leadsOn ? statSync : lstatSync)(path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) {
      this.#differ(name, 'missing', 'is missing');
      return;
    }
    this.entries++;
    const found = nodeOf(node.name, path, stats);
    if (found.type !== node.type) {
      this.#differ(name, 'content', `is a ${found.type}, not a ${node.type}`);
      return;
    }
    if (node.type === 'dir') {
      await this.#compareEntries(await this.#reader.entries(node.subtree!), path, name);
    } else if (node.type === 'file') {
      this.#compareContent(node, path, name);
    }
    if (!leadsOn) this.#compareMetadata(node, found, name);
    if (!leadsOn) this.#compareAttributes(node, path, name);
    this.#progress.advance({ items: 1 });
  }

  #compareMetadata(node: TreeNode, found: TreeNode, name: string): void {
    if (found.linktarget !== node.linktarget) this.#differ(name, 'content', 'leads elsewhere');
    // A tree leaves a zero out: that is the device of what an overlay has deleted.
    if ((found.device ?? 0) !== (node.device ?? 0)) this.#differ(name, 'content', 'is another device');
    if (node.type === 'file' && Number(node.links ?? 1) > 1) this.#compareLink(node, found, name);
    const isLink = node.type === 'symlink';
    if (!isLink && systemPermissions(found.mode ?? 0) !== systemPermissions(node.mode ?? 0))
      this.#differ(name, 'metadata', 'has other permissions');
    if (found.mtime !== node.mtime)
      this.#differ(name, 'metadata', `was changed at ${found.mtime}, not at ${node.mtime}`);
    const mayGiveAway = process.getuid?.() === 0;
    if (mayGiveAway && (found.uid !== node.uid || found.gid !== node.gid))
      this.#differ(name, 'metadata', 'has another owner');
  }

  /** Only root may set what is the system's own: for others it is not compared. */
  #compareAttributes(node: TreeNode, path: Buffer, name: string): void {
    const found = describeAttributes(readAttributes(path));
    const expected = describeAttributes((node.extended_attributes ?? []).map(decodeAttribute));
    for (const attribute of new Set([...found.keys(), ...expected.keys()])) {
      const isOwn = process.getuid?.() === 0 || /^(user|system)\./.test(attribute);
      if (isOwn && found.get(attribute) !== expected.get(attribute))
        this.#differ(name, 'metadata', `has another attribute ${displayName(attribute)}`);
    }
  }

  #compareLink(node: TreeNode, found: TreeNode, name: string): void {
    const identity = `${node.device_id}:${node.inode}`;
    const first = this.#linked.get(identity);
    if (first === undefined) this.#linked.set(identity, { inode: found.inode, name });
    else if (first.inode !== found.inode)
      this.#differ(name, 'metadata', `is not the same file as ${displayName(first.name)}`);
  }

  #compareContent(node: TreeNode, path: Buffer, name: string): void {
    try {
      const difference = this.#contentDifference(node, path);
      if (difference !== undefined) this.#differ(name, 'content', difference);
    } catch (error) {
      if (systemCode(error) === undefined && !isHoldfastError(error)) throw error;
      this.#differ(name, 'unreadable', `cannot be read: ${messageOf(error)}`);
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

  #differ(name: string, kind: Discrepancy['kind'], detail: string): void {
    this.differences.push({ item: displayName(name), kind, detail });
  }
}

/** Values (base64) by name (byte strings). */
function describeAttributes(attributes: readonly ExtendedAttribute[]): Map<string, string> {
  return new Map(attributes.map(({ name, value }) => [byteString(name), value.toString('base64')]));
}
