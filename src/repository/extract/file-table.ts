import { bytesOf, type NodeAttribute, parseTime, systemPermissions, type TreeNode } from '../../format/index.ts';
import { Column } from '../../foundation/columns.ts';

/**
 * The files that a restore makes, as columns that all threads see: where each goes, and its owner, permissions and times.
 * About 70 bytes a file and the bytes of its name.
 */
export interface SharedFileTable {
  directoryPaths: Uint8Array;
  directoryStarts: Uint32Array;
  names: Uint8Array;
  nameStarts: Uint32Array;
  directories: Uint32Array;
  sizes: Float64Array;
  modes: Uint32Array;
  owners: Float64Array;
  groups: Float64Array;
  modifiedSeconds: Float64Array;
  modifiedNanoseconds: Uint32Array;
  accessedSeconds: Float64Array;
  accessedNanoseconds: Uint32Array;
  flags: Uint8Array;
  /** Of the few files that have any. */
  attributes: ReadonlyMap<number, readonly NodeAttribute[]>;
  /** One cell: 1 when files may be given an access control list by the directory that they are made in. */
  inheriting: Uint8Array;
}

/** The file stands already, at its full length: it is opened, and neither made nor lengthened. */
const STANDS = 1;
/** It was there before the restore began: where zeros belong, they must be written. */
const HAD_CONTENT = 2;
/** It is right as it is. */
const LEFT_ALONE = 4;

/** What is to be set on a file once its content is there. */
export interface FileMetadata {
  /** Permissions as the system has them, 0o7777. */
  mode: number;
  /** Undefined when the tree does not say. */
  owner: { user: number; group: number } | undefined;
  /** Seconds and nanoseconds since 1970 of the last access, then of the last change. */
  times: BigInt64Array | undefined;
  attributes: readonly NodeAttribute[];
}

export class FileTable {
  readonly #columns: SharedFileTable;

  constructor(columns: SharedFileTable) {
    this.#columns = columns;
  }

  get count(): number {
    return this.#columns.sizes.length;
  }

  get shared(): SharedFileTable {
    return this.#columns;
  }

  /** Absolute, as bytes. */
  path(file: number): Buffer {
    const { directoryPaths, directoryStarts, names, nameStarts, directories } = this.#columns;
    const directory = directories[file]!;
    return Buffer.concat([
      directoryPaths.subarray(directoryStarts[directory], directoryStarts[directory + 1]),
      SLASH,
      names.subarray(nameStarts[file], nameStarts[file + 1]),
    ]);
  }

  /** The number of the directory that a file is in. */
  directory(file: number): number {
    return this.#columns.directories[file]!;
  }

  /** Absolute, as bytes. */
  directoryPath(directory: number): Buffer {
    const { directoryPaths, directoryStarts } = this.#columns;
    return Buffer.from(directoryPaths.subarray(directoryStarts[directory], directoryStarts[directory + 1]));
  }

  /** As bytes. */
  name(file: number): Buffer {
    const { names, nameStarts } = this.#columns;
    return Buffer.from(names.subarray(nameStarts[file], nameStarts[file + 1]));
  }

  sizeBytes(file: number): number {
    return this.#columns.sizes[file]!;
  }

  metadata(file: number): FileMetadata {
    const { modes, owners, groups } = this.#columns;
    const user = owners[file]!;
    return {
      mode: modes[file]!,
      owner: Number.isNaN(user) ? undefined : { user, group: groups[file]! },
      times: this.#times(file),
      attributes: this.#columns.attributes.get(file) ?? [],
    };
  }

  stands(file: number): boolean {
    return (this.#columns.flags[file]! & STANDS) !== 0;
  }

  hadContent(file: number): boolean {
    return (this.#columns.flags[file]! & HAD_CONTENT) !== 0;
  }

  isLeftAlone(file: number): boolean {
    return (this.#columns.flags[file]! & LEFT_ALONE) !== 0;
  }

  /** Whether a file may have attributes before any is set: it was there before, or was given them as it was made. */
  mayHaveAttributes(file: number): boolean {
    return this.#columns.inheriting[0] === 1 || this.hadContent(file);
  }

  setInheriting(): void {
    this.#columns.inheriting[0] = 1;
  }

  setLeftAlone(file: number): void {
    this.#columns.flags[file]! |= STANDS | LEFT_ALONE;
  }

  setStanding(file: number, { hadContent }: { hadContent: boolean }): void {
    this.#columns.flags[file]! |= hadContent ? STANDS | HAD_CONTENT : STANDS;
  }

  #times(file: number): BigInt64Array | undefined {
    const { accessedSeconds, accessedNanoseconds, modifiedSeconds, modifiedNanoseconds } = this.#columns;
    if (Number.isNaN(modifiedSeconds[file]!)) return undefined;
    return BigInt64Array.of(
      BigInt(accessedSeconds[file]!),
      BigInt(accessedNanoseconds[file]!),
      BigInt(modifiedSeconds[file]!),
      BigInt(modifiedNanoseconds[file]!),
    );
  }
}

const SLASH = Buffer.from('/');

/** Collects what a FileTable holds. */
export class FileTableBuilder {
  readonly #directoryPaths = Column.ofBytes();
  readonly #directoryStarts = Column.ofWords();
  readonly #names = Column.ofBytes();
  readonly #nameStarts = Column.ofWords();
  readonly #directories = Column.ofWords();
  readonly #sizes = Column.ofNumbers();
  readonly #modes = Column.ofWords();
  readonly #owners = Column.ofNumbers();
  readonly #groups = Column.ofNumbers();
  readonly #modified = new TimeColumns();
  readonly #accessed = new TimeColumns();
  readonly #flags = Column.ofBytes();
  readonly #attributes = new Map<number, readonly NodeAttribute[]>();

  constructor() {
    this.#directoryStarts.push(0);
    this.#nameStarts.push(0);
  }

  get count(): number {
    return this.#sizes.length;
  }

  /** @returns the directory's number, for the files in it */
  addDirectory(path: Uint8Array): number {
    this.#directoryPaths.pushAll(path);
    return this.#directoryStarts.push(this.#directoryPaths.length) - 1;
  }

  /** @returns the file's number */
  add(directory: number, node: TreeNode): number {
    this.#directories.push(directory);
    this.#names.pushAll(bytesOf(node.name));
    this.#nameStarts.push(this.#names.length);
    this.#modes.push(systemPermissions(node.mode ?? 0));
    const hasOwner = node.uid !== undefined && node.gid !== undefined;
    this.#owners.push(hasOwner ? node.uid! : Number.NaN);
    this.#groups.push(hasOwner ? node.gid! : Number.NaN);
    const modified = parseTime(node.mtime ?? '');
    this.#modified.push(modified);
    this.#accessed.push(node.atime === node.mtime ? modified : (parseTime(node.atime ?? '') ?? modified));
    this.#flags.push(0);
    if (node.extended_attributes?.length) this.#attributes.set(this.count, node.extended_attributes);
    return this.#sizes.push(Number(node.size ?? 0));
  }

  finish(): FileTable {
    return new FileTable({
      directoryPaths: this.#directoryPaths.share(),
      directoryStarts: this.#directoryStarts.share(),
      names: this.#names.share(),
      nameStarts: this.#nameStarts.share(),
      directories: this.#directories.share(),
      sizes: this.#sizes.share(),
      modes: this.#modes.share(),
      owners: this.#owners.share(),
      groups: this.#groups.share(),
      modifiedSeconds: this.#modified.seconds.share(),
      modifiedNanoseconds: this.#modified.nanoseconds.share(),
      accessedSeconds: this.#accessed.seconds.share(),
      accessedNanoseconds: this.#accessed.nanoseconds.share(),
      flags: this.#flags.share(),
      attributes: this.#attributes,
      inheriting: new Uint8Array(new SharedArrayBuffer(1)),
    });
  }
}

const NANOSECONDS = 1_000_000_000n;

/** Times of any year to the nanosecond; NaN seconds where there is none. */
class TimeColumns {
  readonly seconds = Column.ofNumbers();
  readonly nanoseconds = Column.ofWords();

  push(time: bigint | undefined): void {
    const fraction = time === undefined ? 0n : ((time % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
    this.seconds.push(time === undefined ? Number.NaN : Number((time - fraction) / NANOSECONDS));
    this.nanoseconds.push(Number(fraction));
  }
}
