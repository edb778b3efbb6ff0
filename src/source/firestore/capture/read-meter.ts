import { HoldfastError } from '../../../foundation/errors.ts';

/** As many are charged as one. */
const OPERATIONS_OF_A_PRICE = 100_000;

export interface ReadBudget {
  /** The most that a backup may read. */
  reads?: number;
  /** The most that a backup may cost, by the price. */
  cost?: number;
  /** Of 100,000 reads. */
  price: number;
}

/** Counts what Firestore charges for as reads, and holds it against the budget. */
export class ReadMeter {
  reads = 0;
  readonly #budget: ReadBudget;
  readonly #allowed: number;

  constructor(budget: ReadBudget) {
    this.#budget = budget;
    this.#allowed = allowedReads(budget);
  }

  get cost(): number {
    return costOf(this.reads, this.#budget.price);
  }

  /** @throws source-refused once more was read than the budget has */
  add(reads: number): void {
    this.reads += reads;
    if (this.reads > this.#allowed) {
      throw overBudget(`the backup has read more than its budget of ${this.#allowed} reads`, this.#budget);
    }
  }

  /** @throws source-refused where so many more reads would be too much */
  refuse(expectedReads: number): void {
    const all = this.reads + expectedReads;
    if (all <= this.#allowed) return;
    const cost = costOf(all, this.#budget.price).toFixed(2);
    throw overBudget(`the backup would take ${all} reads (${cost} by the prices), more than its budget`, this.#budget);
  }
}

export function costOf(operations: number, price: number): number {
  return (operations / OPERATIONS_OF_A_PRICE) * price;
}

function allowedReads({ reads = Number.POSITIVE_INFINITY, cost, price }: ReadBudget): number {
  if (cost === undefined || price === 0) return reads;
  // What is a hair below a whole number is that number.
  return Math.min(reads, Math.floor((cost / price) * OPERATIONS_OF_A_PRICE + 1e-6));
}

function overBudget(message: string, { reads, cost }: ReadBudget): HoldfastError {
  return new HoldfastError('source-refused', message, {
    hint: 'Raise `budget` in the plan, or choose fewer `collections`; `holdfast backup --estimate` says what a backup takes.',
    context: { reads, cost },
  });
}
