import { closeSync, constants, ftruncateSync, openSync } from 'node:fs';
import type { PlannedEntry } from './plan.ts';

/** As many files are kept open while nobody writes to them, so that one spread over many packs is not opened anew for each. */
const KEPT_OPEN = 256;

/** The files that a restore writes to, open while they are needed. */
export class Descriptors {
  readonly #files: readonly PlannedEntry[];
  readonly #open = new Map<number, { descriptor: number; users: number }>();
  readonly #created = new Set<number>();

  constructor(files: readonly PlannedEntry[]) {
    this.#files = files;
  }

  /** Makes a file of its full length, which must not exist: whatever leads elsewhere (a link) is refused by the system. */
  create(file: number): void {
    const { path, node } = this.#files[file]!;
    const descriptor = openSync(
      path,
      constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW,
      0o600,
    );
    ftruncateSync(descriptor, Number(node.size ?? 0));
    this.#created.add(file);
    this.#open.set(file, { descriptor, users: 0 });
    this.#closeIdle();
  }

  /** An open descriptor of a file, valid until `release`. */
  acquire(file: number): number {
    if (!this.#created.has(file)) this.create(file);
    let entry = this.#open.get(file);
    if (entry === undefined) {
      entry = { descriptor: openSync(this.#files[file]!.path, constants.O_WRONLY | constants.O_NOFOLLOW), users: 0 };
    }
    // Last in the map's order is last to be closed.
    this.#open.delete(file);
    this.#open.set(file, entry);
    entry.users++;
    return entry.descriptor;
  }

  release(file: number): void {
    this.#open.get(file)!.users--;
    this.#closeIdle();
  }

  closeAll(): void {
    for (const { descriptor } of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  #closeIdle(): void {
    for (const [file, { descriptor, users }] of this.#open) {
      if (this.#open.size <= KEPT_OPEN) return;
      if (users > 0) continue;
      closeSync(descriptor);
      this.#open.delete(file);
    }
  }
}
