/** Each bucket begins so much above the one before: what is told lies at most 1 % beside what was measured. */
const GROWTH = 1.02;
const LOG_GROWTH = Math.log(GROWTH);
/** Smaller is nothing. */
const SMALLEST = 1e-3;
const NOTHING = -1_000_000;

/**
 * How often values of which size were measured, in fixed buckets that grow with the value: little, however many there are, and
 * two of them added are what one of all would be. Values are 0 or more.
 */
export class QuantileDigest {
  readonly #counts: Map<number, number>;
  #count: number;
  #most: number;

  /** @param stored as `toJSON` gave it */
  constructor({ counts = [], most = 0 }: Partial<StoredDigest> = {}) {
    this.#counts = new Map(counts);
    this.#most = most;
    this.#count = counts.reduce((sum, [, count]) => sum + count, 0);
  }

  add(value: number): void {
    const bucket = value < SMALLEST ? NOTHING : Math.floor(Math.log(value) / LOG_GROWTH);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    this.#count += 1;
    this.#most = Math.max(this.#most, value);
  }

  /** The value that this share of all do not exceed, to within 1 %; undefined where there is none. @param share from 0 to 1 */
  quantile(share: number): number | undefined {
    let left = Math.max(1, Math.ceil(share * this.#count));
    for (const [bucket, count] of [...this.#counts].sort(([one], [other]) => one - other)) {
      left -= count;
      if (left <= 0) return bucket === NOTHING ? 0 : Math.min(this.#most, GROWTH ** (bucket + 0.5));
    }
    return undefined;
  }

  /** The largest, exactly; undefined where there is none. */
  get most(): number | undefined {
    return this.#count === 0 ? undefined : this.#most;
  }

  toJSON(): StoredDigest {
    return { counts: [...this.#counts], most: this.#most };
  }
}

export interface StoredDigest {
  counts: [bucket: number, count: number][];
  most: number;
}
