import type { TreeNode } from '../../format/index.ts';

/** The entries of a directory: some are known at once, others when what is in them is stored. In no order. */
export class Entries {
  readonly #nodes: TreeNode[] = [];
  #coming: number;
  #failure: { error: unknown } | undefined;
  #whoWaits: { resolve: (nodes: TreeNode[]) => void; reject: (error: unknown) => void } | undefined;

  /** @param coming how many come later, by `came` or `failed` */
  constructor(coming = 0) {
    this.#coming = coming;
  }

  /** @param node undefined for what is not captured */
  add(node: TreeNode | undefined): void {
    if (node !== undefined) this.#nodes.push(node);
  }

  /** One more comes later. */
  expect(): void {
    this.#coming++;
  }

  came(node: TreeNode | undefined): void {
    this.add(node);
    this.#coming--;
    this.#tell();
  }

  /** What ends all of the backup. */
  failed(error: unknown): void {
    this.#failure ??= { error };
    this.#coming--;
    this.#tell();
  }

  /** All of them, once nothing is on its way any more. What is on its way may bring more with it. @throws what failed first */
  all(): Promise<TreeNode[]> {
    return new Promise((resolve, reject) => {
      this.#whoWaits = { resolve, reject };
      this.#tell();
    });
  }

  #tell(): void {
    if (this.#coming > 0 || this.#whoWaits === undefined) return;
    if (this.#failure === undefined) this.#whoWaits.resolve(this.#nodes);
    else this.#whoWaits.reject(this.#failure.error);
  }
}
