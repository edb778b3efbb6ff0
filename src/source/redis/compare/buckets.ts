import type { RdbEntry } from '../rdb/reader.ts';

const BUCKETS = 1 << 18;

/** Sums of digests of keys, and how many there are, by buckets that the keys alone decide. */
export class Buckets {
  readonly #sums = new Uint32Array(2 * BUCKETS);
  readonly #counts = new Uint32Array(BUCKETS);

  readonly add = ({ place, low, high }: RdbEntry): void => {
    const bucket = place & (BUCKETS - 1);
    const sum = this.#sums[2 * bucket]! + low;
    this.#sums[2 * bucket] = sum;
    this.#sums[2 * bucket + 1]! += high + (sum > 0xffffffff ? 1 : 0);
    this.#counts[bucket]!++;
  };

  /**
   * Which buckets are not the same on another side.
   * @param mostKeys of both sides are in those that are named; where there would be more the rest is left out
   */
  differing(
    other: Buckets,
    mostKeys: number,
  ): { isAny: boolean; isComplete: boolean; has: (place: number) => boolean } {
    const named = new Uint8Array(BUCKETS);
    let keys = 0;
    let isComplete = true;
    let isAny = false;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const isSame =
        this.#sums[2 * bucket] === other.#sums[2 * bucket] &&
        this.#sums[2 * bucket + 1] === other.#sums[2 * bucket + 1] &&
        this.#counts[bucket] === other.#counts[bucket];
      if (isSame) continue;
      isAny = true;
      keys += this.#counts[bucket]! + other.#counts[bucket]!;
      if (keys > mostKeys && named.some((each) => each === 1)) {
        isComplete = false;
        break;
      }
      named[bucket] = 1;
    }
    return { isAny, isComplete, has: (place) => named[place & (BUCKETS - 1)] === 1 };
  }
}
