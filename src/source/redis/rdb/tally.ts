import { type ByteFunctions, COUNT_BYTES, COUNTS, EXPIRED } from './bytes.ts';
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
  digest: bigint;
}

/** More databases than any server is set up with. */
const MOST_DATABASES = 65_536;

/** Adds up what `ByteFunctions.count` and `entries` have counted, by database. */
export class Tally {
  readonly #functions: ByteFunctions;
  readonly #databases = new Map<number, (Sum | undefined)[]>();

  constructor(functions: ByteFunctions) {
    this.#functions = functions;
  }

  /**
   * Takes over what was counted of one database; the next one may be counted then.
   * @returns false where there are more databases than can be
   */
  take(database: number): boolean {
    const view = new DataView(this.#functions.memory.buffer);
    for (let type = 0; type < VALUE_TYPES.length; type++) {
      const row = COUNTS + type * COUNT_BYTES;
      const keys = view.getFloat64(row, true);
      if (keys === 0) continue;
      const sum = this.#sumOf(database, type);
      if (sum === undefined) return false;
      sum.keys += keys;
      sum.expiring += view.getFloat64(row + 8, true);
      sum.digest = BigInt.asUintN(64, sum.digest + view.getBigUint64(row + 16, true));
      new Uint8Array(view.buffer, row, COUNT_BYTES).fill(0);
    }
    return true;
  }

  #sumOf(database: number, type: number): Sum | undefined {
    let sums = this.#databases.get(database);
    if (sums === undefined) {
      if (this.#databases.size === MOST_DATABASES) return undefined;
      sums = [];
      this.#databases.set(database, sums);
    }
    sums[type] ??= { keys: 0, expiring: 0, digest: 0n };
    return sums[type];
  }

  /** Keys whose time had come, which are counted nowhere else. */
  get expired(): number {
    return new DataView(this.#functions.memory.buffer).getFloat64(EXPIRED, true);
  }

  /** By database, then by type. */
  counts(): TypeCount[] {
    const numbers = [...this.#databases.keys()].sort((a, b) => a - b);
    return numbers.flatMap((database) =>
      VALUE_TYPES.flatMap((type, index): TypeCount[] => {
        const sum = this.#databases.get(database)![index];
        if (sum === undefined) return [];
        return [{ ...sum, database, type, digest: sum.digest.toString(16).padStart(16, '0') }];
      }),
    );
  }
}
