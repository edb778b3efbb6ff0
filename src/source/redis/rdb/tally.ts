import { VALUE_TYPES, type ValueType } from './types.ts';

/** What was counted of one type of value in one database. */
export interface TypeCount {
  database: number;
  type: ValueType;
  keys: number;
  /** How many of them have a time to live. */
  expiring: number;
  /** 16 hexadecimal digits, of keys, values and times; neither the order nor the form in which a server keeps them says anything. */
  digest: string;
}

interface Sum {
  keys: number;
  expiring: number;
  low: number;
  high: number;
}

/** More databases than any server is set up with. */
const MOST_DATABASES = 65_536;

/** Counts keys and adds up their digests. */
export class Tally {
  readonly #databases = new Map<number, (Sum | undefined)[]>();
  #database = -1;
  #sums: (Sum | undefined)[] = [];
  keys = 0;
  expiring = 0;

  /** @returns false where there are more databases than can be */
  add(database: number, type: number, isExpiring: boolean, low: number, high: number): boolean {
    if (database !== this.#database && !this.#enter(database)) return false;
    let sum = this.#sums[type];
    if (sum === undefined) {
      sum = { keys: 0, expiring: 0, low: 0, high: 0 };
      this.#sums[type] = sum;
    }
    const together = sum.low + low;
    sum.low = together >>> 0;
    sum.high = (sum.high + high + (together > 0xffffffff ? 1 : 0)) >>> 0;
    sum.keys++;
    this.keys++;
    if (isExpiring) {
      sum.expiring++;
      this.expiring++;
    }
    return true;
  }

  #enter(database: number): boolean {
    let sums = this.#databases.get(database);
    if (sums === undefined) {
      if (this.#databases.size === MOST_DATABASES) return false;
      sums = [];
      this.#databases.set(database, sums);
    }
    this.#database = database;
    this.#sums = sums;
    return true;
  }

  /** By database, then by type. */
  counts(): TypeCount[] {
    const numbers = [...this.#databases.keys()].sort((a, b) => a - b);
    return numbers.flatMap((database) =>
      VALUE_TYPES.flatMap((type, index): TypeCount[] => {
        const sum = this.#databases.get(database)![index];
        if (sum === undefined) return [];
        return [{ database, type, keys: sum.keys, expiring: sum.expiring, digest: digits(sum.high) + digits(sum.low) }];
      }),
    );
  }
}

function digits(word: number): string {
  return word.toString(16).padStart(8, '0');
}
