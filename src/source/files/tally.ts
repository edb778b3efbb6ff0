import type { TreeNode } from '../../format/index.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { Manifest } from '../index.ts';

/** How much a snapshot of files holds. */
export interface Holding {
  files: number;
  directories: number;
  bytes: number;
}

/** What a manifest says of that; undefined where it does not. */
export function holdingOf({ details }: Pick<Manifest, 'details'>): Holding | undefined {
  const { files, directories, bytes } = details;
  if (typeof files !== 'number' || typeof directories !== 'number' || typeof bytes !== 'number') return undefined;
  return { files, directories, bytes };
}

/** Counts what a snapshot holds that was made of the one before it, without looking at what did not change. */
export class Tally {
  readonly #previous: SnapshotReader;
  readonly #left: Holding;

  /** @param holding of the snapshot before */
  constructor(previous: SnapshotReader, holding: Holding) {
    this.#previous = previous;
    this.#left = { ...holding };
  }

  /** What of the snapshot before is in the new one as it was. */
  get left(): Readonly<Holding> {
    return this.#left;
  }

  /** An entry of the snapshot before is looked at anew; what is below it counts for itself. */
  looksAnew(before: TreeNode | undefined): void {
    if (before?.type === 'dir') this.#left.directories--;
    if (before?.type !== 'file') return;
    this.#left.files--;
    this.#left.bytes -= Number(before.size ?? 0);
  }

  /** What was below a directory of the snapshot before is not there any more. @throws repository-damaged */
  async dropsBelow(before: TreeNode | undefined): Promise<void> {
    if (before?.subtree === undefined) return;
    for (const node of await this.#previous.entries(before.subtree)) await this.drops(node);
  }

  /** An entry of the snapshot before is not there any more. @throws repository-damaged */
  async drops(before: TreeNode): Promise<void> {
    this.looksAnew(before);
    await this.dropsBelow(before);
  }
}
