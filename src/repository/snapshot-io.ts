import type { TreeNode } from '../format/index.ts';
import type { ExtendedAttribute } from '../foundation/extended-attributes.ts';
import type { FileStatus } from '../foundation/file-status.ts';
import type { Progress } from '../foundation/progress.ts';

/**
 * What a source sees of a repository: somewhere to write a snapshot's files and trees, and somewhere to read them.
 */

/** A file's content, stored. */
export interface StoredFile {
  /** Blob ids (hex) in order. The contents of two files set one after the other are a file too. */
  content: string[];
  sizeBytes: number;
}

/** A file that was read by its path. */
export interface ReadFile extends StoredFile {
  /** What the system said of it before it was read. */
  status: FileStatus;
  /** The error of the system where they could not be read. */
  attributes: readonly ExtendedAttribute[] | Error;
  /** While it was read: what is stored may be a mixture of before and after. */
  hasChanged: boolean;
}

/** What became of a file that was to be read by its path. */
export type FileOutcome =
  | { kind: 'read'; file: ReadFile }
  /** Nothing was read: it is for `writeInParts`, or it is no regular file. */
  | { kind: 'large' | 'other' }
  /** The system's error, or why nothing can be stored any more. */
  | { kind: 'failed'; error: Error };

/** A directory that has nothing but files. */
export interface DirectoryOfFiles {
  /** A byte string, as are the names, which are in their order. */
  path: string;
  names: readonly string[];
  /** The id of the tree that it had, which the repository has. */
  tree: string;
}

/** Is told what became of the files of a directory: neither must throw. */
export interface FilesOfDirectory {
  /** They and what the system says of them are what they were: told once, and nothing else is. */
  onSame: (sizeBytes: number) => void;
  /** Else: told once of each. */
  onDone: (name: string, outcome: FileOutcome) => void;
}

/** One file's bytes on their way into the repository. */
export interface FileStream {
  /**
   * Takes the next bytes. They are copied before the promise is returned, so the caller may reuse its buffer at once;
   * awaiting the promise is the back-pressure. One call at a time per stream.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** The file is complete. Resolves once every one of its blobs is held by a pack that is being written. */
  end(): Promise<StoredFile>;
  /** Gives the stream up; what it wrote is never referred to. Harmless after `end`. */
  abort(): void;
}

/** A file that several threads read. */
export interface LargeFile {
  /** As long as it is expected to be. */
  sizeBytes: number;
  /** As many bytes are read at most. */
  limitBytes: number;
  /** The ids of the blobs that it consisted of before, where much of it may be as it was. */
  before?: readonly string[] | undefined;
}

/** Writes the files and trees of one snapshot. Nothing of it is visible before the operation saves the snapshot. */
export interface SnapshotWriter {
  /** How many streams may be open at the same time; `openFile` waits while as many are. */
  readonly maxStreams: number;
  /**
   * @param cut `content` (the default) cuts where the content says so; a number of bytes cuts at that fixed size,
   *   which is what page-structured files want.
   */
  openFile(cut?: 'content' | number): Promise<FileStream>;
  /**
   * Reads an open file from its start to its end, as cheaply as the machine allows.
   * The promise resolves when reading is over, so that the caller may close the descriptor; `stored` resolves later,
   * so that many small files are on their way at once. One call at a time.
   * @param limitBytes as many are read at most: a file may grow faster than it is read
   */
  writeFrom(fileDescriptor: number, limitBytes?: number): Promise<{ sizeBytes: number; stored: Promise<StoredFile> }>;
  /**
   * Has a small file that is not open yet read by another thread, together with others. Links are not followed.
   * @param onDone is told once what became of it; it must not throw
   * @returns where it is there, it resolves when not too many files wait any more: the next is handed over then
   */
  readFile(path: Uint8Array, onDone: (outcome: FileOutcome) => void): Promise<void> | undefined;
  /**
   * Has small files read that are all that is in a directory, by one thread, which holds them against what they were.
   * @returns resolves when not too many files wait any more
   */
  readFilesOf(directory: DirectoryOfFiles, told: FilesOfDirectory): Promise<void>;
  /**
   * The same for a large file: several threads read it, part by part. The promise resolves when all of it is on its way;
   * the descriptor must stay open until `stored` has settled.
   * @param onRead is told of every part, for people to see
   * @throws the system's error, by `stored`, when it cannot be read
   */
  writeInParts(
    fileDescriptor: number,
    file: LargeFile,
    onRead: (bytes: number) => void,
  ): Promise<{ stored: Promise<StoredFile> }>;
  /** Whether the repository has all of these blobs, so that a file may be made of them without being read. */
  holds(content: readonly string[]): boolean;
  /** The same of a directory's tree. */
  holdsTree(tree: string): boolean;
  /** Stores a directory's entries, in any order; names must be unique. Resolves to the tree's id. */
  saveTree(nodes: TreeNode[]): Promise<string>;
}

/** Reads one snapshot. Every byte it gives was authenticated. */
export interface SnapshotReader {
  /** The snapshot's id (hex). */
  readonly id: string;
  /** Its root tree's id (hex). */
  readonly tree: string;
  /** The moment it was taken, milliseconds since 1970. */
  readonly timeMs: number;
  /** The entries of a tree, checked and sorted. @throws repository-damaged */
  entries(tree: string): Promise<TreeNode[]>;
  /** The node at an absolute path of byte strings (`/data/toc.dat`), if there is one. */
  find(path: string): Promise<TreeNode | undefined>;
  /** How many bytes a blob has. @throws repository-damaged when the index does not know it */
  plainLength(id: string): number;
  /** A file's content in order, read ahead. Each buffer belongs to the caller. @throws repository-damaged */
  read(node: TreeNode): AsyncIterable<Uint8Array>;
  /** A small file's whole content. @throws repository-damaged, also when it is larger than `limitBytes` */
  readWhole(node: TreeNode, limitBytes: number): Promise<Buffer>;
  /**
   * Writes the snapshot into a directory that is empty, or is made, and nowhere else. One that a restore of the same tree
   * and selection was interrupted in is gone on with. With `replace` it may hold anything.
   * @throws target-not-empty, target-unsuitable, target-failed, disk-full, repository-damaged; path-missing, before anything is written, where a pattern of `only` names nothing
   */
  extract(target: string, options: ExtractOptions): Promise<Extracted>;
  /**
   * Takes away the marks that `extract` left with `keepsMark`. It reads nothing of the repository.
   * @throws target-failed
   */
  release(): Promise<void>;
}

export interface ExtractOptions {
  progress: Progress;
  signal: AbortSignal;
  /** What is wanted; everything, when left out. */
  selection?: Selection;
  /** A tree of the snapshot other than its root's: what is in it is written, and its paths begin there. */
  tree?: string;
  /** Paths in that tree (byte strings) of entries that are none of what was asked for, whatever that is. */
  leaveOut?: readonly string[];
  /**
   * The target may hold anything: what is right is left alone, what is wrong is made right, and what the snapshot does not
   * have is removed. Nothing that the selection does not mean is.
   */
  replace?: boolean;
  /**
   * The caller syncs everything afterwards: the system is to begin writing to the disk at once, which it would else put off
   * until then.
   */
  isSyncedAfterwards?: boolean;
  /**
   * What the repository has lost is left out and named, and all else is restored: of a directory whose list of entries is lost,
   * what is in it; of a file any of whose content is, the file. Left out, a loss ends the restore.
   */
  leavesOutLost?: boolean;
  /** With `replace`: nothing is changed, and what would be removed is said. */
  dryRun?: boolean;
  /**
   * What marks the target as one that is being filled stays once all of it is there, until `release`: who is killed before the
   * end is recorded goes on.
   */
  keepsMark?: boolean;
  /** Where it goes on in a marked target, what the snapshot does not have is removed: a server may have run there since. */
  clearsMarked?: boolean;
}

/** A part of a snapshot, in patterns: see `pathMatcher`. What is in a directory that is meant is meant as well. */
export interface Selection {
  /** What is wanted; everything, when left out. */
  only?: readonly string[];
  /** What of that is not. */
  exclude?: readonly string[];
}

export interface Extracted {
  files: number;
  directories: number;
  others: number;
  bytes: number;
  /** Files that were right already, in a target that was replaced or that a restore was interrupted in: they were left alone. */
  keptFiles: number;
  /** How many entries were removed, where the target was replaced. */
  removedEntries?: number;
  /** What would be removed, where it is a dry run: absolute paths, fit to be shown. */
  surplus?: string[];
  /** How many entries were left out because the repository has lost what they need. */
  lost: number;
  /**
   * Owners, permissions and times that could not be set, devices that could not be made, what could not be removed, and what
   * was left out. The contents of what is there are right.
   */
  problems: ExtractProblem[];
}

/** Something that could not be set on an entry which is there otherwise, or an entry without content that is not. */
export interface ExtractProblem {
  path: string;
  message: string;
}
