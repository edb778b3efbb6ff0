import { type BigIntStats, chmodSync, lstatSync, realpathSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { byteString, displayName, pathMatcher } from '../../format/index.ts';
import { HoldfastError, messageOf, systemCode } from '../../foundation/errors.ts';
import { mountPoints } from '../../foundation/mounts.ts';
import { OpenDirectory } from '../../foundation/open-directory.ts';
import type { ExtractProblem, Selection } from '../snapshot-io.ts';
import type { PlannedKind, PlannedNames } from './planned-names.ts';

export interface ClearingOptions {
  /** What the restore makes; undefined where nothing of it can be there. */
  planned: PlannedNames | undefined;
  /** Only what it means is removed. */
  selection: Selection;
  /** A name in the target itself that is left alone. */
  marker: string | undefined;
  /** Directories of which everything that is in them is left alone: paths in the snapshot. */
  leftAlone: readonly string[];
  signal: AbortSignal;
}

/**
 * Removes from a target what a restore that replaces it does not make. Links are removed and never followed, nor is another
 * file system ever entered. Paths are those in the snapshot: byte strings that begin with `/`.
 */
export class Clearing {
  /** What could not be removed. */
  readonly problems: ExtractProblem[] = [];
  /** How many entries were removed because they are not in the snapshot. */
  removed = 0;
  /** What a look found that is to be removed: absolute paths, fit to be shown, what is in a directory before it. */
  readonly surplus: string[] = [];
  readonly #target: Buffer;
  readonly #options: ClearingOptions;
  /** Whether there is no `only`. */
  readonly #isAllMeant: boolean;
  readonly #isNamed: (path: string) => boolean;
  readonly #isExcluded: (path: string) => boolean;
  readonly #inTheWay: string[] = [];
  #device = 0n;

  constructor(target: string, options: ClearingOptions) {
    const { only, exclude = [] } = options.selection;
    this.#target = Buffer.from(target);
    this.#options = options;
    this.#isAllMeant = only === undefined;
    this.#isNamed = pathMatcher(only ?? []);
    const [excluded, leftAlone] = [pathMatcher(exclude), new Set(options.leftAlone)];
    this.#isExcluded = (path) => excluded(path) || leftAlone.has(path.slice(0, path.lastIndexOf('/')));
  }

  /**
   * Goes through all of the target before anything in it is changed.
   * @throws target-unsuitable where another file system is mounted in it; target-failed where something is in the way that the
   *   selection does not mean; the system's errors
   */
  look(): void {
    const real = byteString(realpathSync(this.#target, { encoding: 'buffer' }));
    const mounted = mountPoints()
      .filter((path) => path.startsWith(`${real}/`))
      .map((path) => path.slice(real.length))
      .find((path) => !this.#isLeftOut(path));
    if (mounted !== undefined) throw isMounted(mounted);
    this.#inTarget((root) => this.#lookInto(root, '', this.#isAllMeant));
  }

  /** Removes the directories that stand where something else is to be made. */
  makeWay(): void {
    for (const path of this.#inTheWay) this.remove(path);
  }

  /** Removes an entry with all that is in it, if it is there. */
  remove(path: string): void {
    const names = path.split('/').slice(1);
    this.#inTarget((root) => this.#removeBelow(root, names, ''));
  }

  /** Removes what is not in the snapshot. Directories that the restore made, or took, are to be open to their owner. */
  removeSurplus(): void {
    this.#inTarget((root) => this.#clear(root, '', this.#isAllMeant));
  }

  /** Absolute, fit to be shown. */
  #shown(path: string): string {
    return displayName(`${byteString(this.#target)}${path}`);
  }

  #isMarker(path: string): boolean {
    const { marker } = this.#options;
    return marker !== undefined && path === `/${marker}`;
  }

  #plannedIn(directory: string): ReadonlyMap<string, PlannedKind> {
    return this.#options.planned?.in(directory) ?? new Map();
  }

  #inTarget(work: (root: OpenDirectory) => void): void {
    using(OpenDirectory.open(this.#target), (root) => {
      this.#device = lstatSync(root.pathOf('.'), { bigint: true }).dev;
      work(root);
    });
  }

  /** @returns whether nothing will be left in it */
  #lookInto(directory: OpenDirectory, prefix: string, isMeant: boolean): boolean {
    const planned = this.#plannedIn(prefix);
    let isEmpty = true;
    for (const name of directory.names()) {
      this.#options.signal.throwIfAborted();
      const path = `${prefix}/${name}`;
      const entry = { name, path, planned: planned.get(name), isMeant: isMeant || this.#isNamed(path) };
      if (!this.#lookAt(directory, entry)) isEmpty = false;
    }
    return isEmpty;
  }

  /** @returns whether it will be gone */
  #lookAt(directory: OpenDirectory, { name, path, planned, isMeant }: Entry): boolean {
    if (this.#isExcluded(path) || this.#isMarker(path)) return false;
    const stats = statsOf(directory, name);
    if (stats === undefined) return true;
    const isDirectory = stats.isDirectory();
    if (!isDirectory && planned === 'directory' && !isMeant) throw isInTheWay(path);
    if (isDirectory && stats.dev !== this.#device) throw isMounted(path);
    let isLeft = false;
    if (isDirectory) {
      using(openUnlessClosed(directory, name), (child) => {
        isLeft = !this.#lookInto(child, path, isMeant);
      });
    }
    const standsInTheWay = isDirectory && planned === 'other';
    if (standsInTheWay) this.#inTheWay.push(path);
    if (isLeft || !isMeant || (planned !== undefined && !standsInTheWay)) return false;
    this.surplus.push(this.#shown(path));
    return true;
  }

  #removeBelow(directory: OpenDirectory, [name, ...rest]: string[], prefix: string): void {
    const path = `${prefix}/${name}`;
    const stats = statsOf(directory, name!);
    if (stats === undefined) return;
    if (rest.length === 0) this.#clearEntry(directory, { name: name!, path, planned: undefined, isMeant: true });
    else if (stats.isDirectory()) using(directory.openChild(name!), (child) => this.#removeBelow(child, rest, path));
  }

  /**
   * @param isMeant whether everything in it is; else only what the selection names
   * @returns whether nothing is left in it
   */
  #clear(directory: OpenDirectory, prefix: string, isMeant: boolean): boolean {
    const planned = this.#plannedIn(prefix);
    const names = directory.names();
    const unlisted = new Set(planned.keys()).difference(new Set(names));
    let isEmpty = true;
    for (const listed of names) {
      this.#options.signal.throwIfAborted();
      const name = planned.has(listed) ? listed : nameAsPlanned(directory, listed, unlisted);
      const path = `${prefix}/${name}`;
      const entry = { name, path, planned: planned.get(name), isMeant: isMeant || this.#isNamed(path) };
      if (!this.#clearEntry(directory, entry)) isEmpty = false;
    }
    return isEmpty;
  }

  /** @returns whether it is gone */
  #clearEntry(directory: OpenDirectory, { name, path, planned, isMeant }: Entry): boolean {
    if (this.#isExcluded(path) || this.#isMarker(path)) return false;
    const stats = statsOf(directory, name);
    if (stats === undefined) return true;
    const isDirectory = stats.isDirectory();
    if (isDirectory && stats.dev !== this.#device) throw isMounted(path);
    const isLeft = isDirectory && !this.#clearInside(directory, { name, path, isMeant });
    if (isLeft || planned !== undefined || !isMeant) return false;
    return this.#attempt(path, () => {
      if (isDirectory) rmdirSync(directory.pathOf(name));
      else unlinkSync(directory.pathOf(name));
      this.removed++;
    });
  }

  /** @returns whether nothing is left in it */
  #clearInside(directory: OpenDirectory, { name, path, isMeant }: Omit<Entry, 'planned'>): boolean {
    let isEmpty = true;
    const isRead = this.#attempt(path, () =>
      using(openEvenIfClosed(directory, name), (child) => {
        isEmpty = this.#clear(child, path, isMeant);
      }),
    );
    return isRead && isEmpty;
  }

  /** Whether it, or a directory that it is in, is excluded. */
  #isLeftOut(path: string): boolean {
    const names = path.split('/');
    return names.some((_, at) => at > 0 && this.#isExcluded(names.slice(0, at + 1).join('/')));
  }

  /** @returns whether it succeeded; what the system refuses is a problem and no more */
  #attempt(path: string, work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      // Somebody else removed it.
      if (code === 'ENOENT') return true;
      // The system's message names the open directory, which means nothing to a person.
      const [reason] = messageOf(error).split(', ');
      this.problems.push({ path: this.#shown(path), message: `cannot be removed: ${reason}` });
      return false;
    }
  }
}

/** Something in a directory of the target. */
interface Entry {
  name: string;
  path: string;
  planned: PlannedKind | undefined;
  /** Whether the selection means it. */
  isMeant: boolean;
}

function isMounted(path: string): HoldfastError {
  return new HoldfastError(
    'target-unsuitable',
    `another file system is mounted in the target, at ${displayName(path)}`,
    {
      hint: 'Unmount it, or leave it out with `--exclude`: only what is on the file system of the target is replaced.',
      context: { path: displayName(path) },
    },
  );
}

function statsOf(directory: OpenDirectory, name: string): BigIntStats | undefined {
  return lstatSync(directory.pathOf(name), { bigint: true, throwIfNoEntry: false });
}

function using(directory: OpenDirectory | undefined, work: (directory: OpenDirectory) => void): void {
  try {
    if (directory !== undefined) work(directory);
  } finally {
    directory?.close();
  }
}

/** Undefined where it may not be read: nothing is changed for a look. */
function openUnlessClosed(directory: OpenDirectory, name: string): OpenDirectory | undefined {
  try {
    return directory.openChild(name);
  } catch (error) {
    if (systemCode(error) !== 'EACCES') throw error;
    return undefined;
  }
}

/** An own directory may be closed to its owner. */
function openEvenIfClosed(directory: OpenDirectory, name: string): OpenDirectory {
  try {
    return directory.openChild(name);
  } catch (error) {
    if (systemCode(error) !== 'EACCES') throw error;
  }
  chmodSync(directory.pathOf(name), 0o700);
  return directory.openChild(name);
}

/**
 * A file system may take two names for one (`a` and `A`): what stood there keeps its own name when it is made right. It is
 * given the planned one, so that it is not taken for something else.
 * @param unlisted planned names that the directory does not list
 */
function nameAsPlanned(directory: OpenDirectory, listed: string, unlisted: ReadonlySet<string>): string {
  if (unlisted.size === 0) return listed;
  const own = statsOf(directory, listed);
  for (const name of unlisted) {
    const other = statsOf(directory, name);
    if (other === undefined || other.ino !== own?.ino || other.dev !== own.dev) continue;
    renameSync(directory.pathOf(listed), directory.pathOf(name));
    return name;
  }
  return listed;
}

function isInTheWay(path: string): HoldfastError {
  return new HoldfastError(
    'target-failed',
    `what is at ${displayName(path)} in the target is no directory, and is not meant by the selection`,
    {
      hint: 'Move it away, or select it as well.',
      context: { path: displayName(path) },
    },
  );
}
