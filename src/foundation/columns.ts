/**
 * Long lists of numbers for several threads: one typed array over shared memory for each member of what would else be an
 * object, a tenth of its size and never copied to a thread. One thread fills a column; `shared` is what others are given.
 */
export type Numbers = Uint8Array<SharedArrayBuffer> | Uint32Array<SharedArrayBuffer> | Float64Array<SharedArrayBuffer>;

interface NumbersOf<T extends Numbers> {
  readonly BYTES_PER_ELEMENT: number;
  new (memory: SharedArrayBuffer): T;
}

export class Column<T extends Numbers> {
  readonly #type: NumbersOf<T>;
  #values: T;
  #length = 0;

  private constructor(type: NumbersOf<T>) {
    this.#type = type;
    this.#values = numbers(type, 256);
  }

  static ofBytes(): Column<Uint8Array<SharedArrayBuffer>> {
    return new Column<Uint8Array<SharedArrayBuffer>>(Uint8Array);
  }

  /** Whole numbers below 2^32. */
  static ofWords(): Column<Uint32Array<SharedArrayBuffer>> {
    return new Column<Uint32Array<SharedArrayBuffer>>(Uint32Array);
  }

  /** Whole numbers below 2^53, or any double. */
  static ofNumbers(): Column<Float64Array<SharedArrayBuffer>> {
    return new Column<Float64Array<SharedArrayBuffer>>(Float64Array);
  }

  get length(): number {
    return this.#length;
  }

  /** Adds a value. @returns its place */
  push(value: number): number {
    this.#reserve(1);
    this.#values[this.#length] = value;
    return this.#length++;
  }

  pushAll(values: ArrayLike<number>): void {
    this.#reserve(values.length);
    this.#values.set(values, this.#length);
    this.#length += values.length;
  }

  at(place: number): number {
    return this.#values[place]!;
  }

  set(place: number, value: number): void {
    this.#values[place] = value;
  }

  /** All values, valid until the next one is added. */
  get shared(): T {
    return this.#values.subarray(0, this.#length) as T;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#values.length) return;
    const larger = numbers(this.#type, Math.max(this.#values.length * 2, this.#length + more));
    larger.set(this.#values);
    this.#values = larger;
  }
}

function numbers<T extends Numbers>(type: NumbersOf<T>, count: number): T {
  return new type(new SharedArrayBuffer(count * type.BYTES_PER_ELEMENT));
}
