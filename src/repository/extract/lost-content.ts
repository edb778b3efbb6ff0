import { byteString, displayName } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import { isUnusable } from '../read-anew.ts';
import type { ExtractProblem } from '../snapshot-io.ts';

/** Whether content cannot be had because the repository has lost it, and not because something is away. */
export function isLoss(error: unknown): error is HoldfastError {
  return isHoldfastError(error, 'object-missing') || isUnusable(error);
}

/**
 * What kept content from being read, with the file that it is for, where the repository has lost that content.
 * @param path of the file in the target, as bytes
 */
export function neededBy(path: Buffer, error: unknown): unknown {
  if (!isLoss(error)) return error;
  const file = displayName(byteString(path));
  return new HoldfastError(error.code, `${error.message}; ${file} needs it`, {
    context: { ...error.context, path: file },
    cause: error,
  });
}

/** What a restore leaves out because the repository has lost it, and goes on. */
export class LostContent {
  /** Why the content of a file cannot be had, by the file's number. */
  readonly #files = new Map<number, HoldfastError>();
  readonly #directories: { path: Buffer; reason: HoldfastError }[] = [];

  /** The numbers of files. */
  get files(): Iterable<number> {
    return this.#files.keys();
  }

  get fileCount(): number {
    return this.#files.size;
  }

  hasFile(file: number): boolean {
    return this.#files.has(file);
  }

  /** Directories in the target of which nobody knows what is in them, as bytes. */
  get directories(): readonly Buffer[] {
    return this.#directories.map(({ path }) => path);
  }

  addFile(file: number, reason: HoldfastError): void {
    if (!this.#files.has(file)) this.#files.set(file, reason);
  }

  addDirectory(path: Buffer, reason: HoldfastError): void {
    this.#directories.push({ path, reason });
  }

  /** Why the first of it cannot be had; undefined when nothing is lost. */
  get firstReason(): HoldfastError | undefined {
    return this.#directories[0]?.reason ?? this.#files.values().next().value;
  }

  /**
   * @param pathOf a file's path in the target, as bytes
   * @param furtherNames of files, by their paths and the number of the file
   */
  problems(
    pathOf: (file: number) => Buffer,
    furtherNames: Iterable<{ path: Buffer; existing: number }>,
  ): ExtractProblem[] {
    const problems: ExtractProblem[] = [];
    const add = (path: Buffer, message: string): void => {
      problems.push({ path: displayName(byteString(path)), message });
    };
    for (const { path, reason } of this.#directories) add(path, `what was in it is lost: ${reason.message}`);
    for (const [file, reason] of [...this.#files].sort(([one], [other]) => one - other))
      add(pathOf(file), `its content is lost: ${reason.message}`);
    for (const { path, existing } of furtherNames) {
      const reason = this.#files.get(existing);
      if (reason !== undefined) add(path, `its content is lost: ${reason.message}`);
    }
    return problems;
  }
}
