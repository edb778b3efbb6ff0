import { byteString } from '../../format/index.ts';
import type { ExtractPlan } from './plan.ts';

/** A directory, or whatever else. */
export type PlannedKind = 'directory' | 'other';

/**
 * What a restore makes, by directory. Paths and names are byte strings; paths are those in the snapshot, `` for the root.
 * Of files, which may be many, only their order is kept.
 */
export class PlannedNames {
  readonly #files: ExtractPlan['files'];
  readonly #fileOrder: Uint32Array;
  /** Where a directory's files begin in the order. */
  readonly #firstFiles = new Map<string, number>();
  readonly #rest = new Map<string, Map<string, PlannedKind>>();

  /** @param target absolute path of the directory that takes the tree's entries */
  constructor({ directories, files, others, hardLinks }: ExtractPlan, target: Buffer) {
    const inSnapshot = (path: Buffer): string => byteString(path.subarray(target.length));
    this.#files = files;
    this.#fileOrder = Uint32Array.from({ length: files.count }, (_, file) => file);
    this.#fileOrder.sort((a, b) => files.directory(a) - files.directory(b) || a - b);
    let previous = -1;
    for (const [at, file] of this.#fileOrder.entries()) {
      const directory = files.directory(file);
      if (directory !== previous) this.#firstFiles.set(inSnapshot(files.directoryPath(directory)), at);
      previous = directory;
    }
    for (const { path } of directories) this.#add(inSnapshot(path), 'directory');
    for (const { path } of [...others, ...hardLinks]) this.#add(inSnapshot(path), 'other');
  }

  /** What is planned in a directory. */
  in(directory: string): Map<string, PlannedKind> {
    const names = new Map(this.#rest.get(directory));
    const first = this.#firstFiles.get(directory) ?? this.#fileOrder.length;
    const number = first < this.#fileOrder.length ? this.#files.directory(this.#fileOrder[first]!) : undefined;
    for (let at = first; at < this.#fileOrder.length; at++) {
      const file = this.#fileOrder[at]!;
      if (this.#files.directory(file) !== number) break;
      names.set(byteString(this.#files.name(file)), 'other');
    }
    return names;
  }

  #add(path: string, kind: PlannedKind): void {
    const slash = path.lastIndexOf('/');
    const directory = path.slice(0, slash);
    const names = this.#rest.get(directory) ?? new Map<string, PlannedKind>();
    this.#rest.set(directory, names.set(path.slice(slash + 1), kind));
  }
}
