/**
 * Long lists of numbers for several threads: one typed array over shared memory for each member of what would else be an
 * object, a tenth of its size and never copied to a thread. One thread fills a column, and shares it when it is complete.
 */

type Numbers<Memory extends ArrayBufferLike> = Uint8Array<Memory> | Uint32Array<Memory> | Float64Array<Memory>;
interface NumbersType {
  readonly BYTES_PER_ELEMENT: number;
  new <Memory extends ArrayBufferLike>(memory: Memory): Numbers<Memory>;
}

const FIRST_CAPACITY = 256;

export class Column<T extends Numbers<SharedArrayBuffer>> {
  readonly #type: NumbersType;
  #values: Numbers<ArrayBuffer>;
  #length = 0;

  private constructor(type: unknown) {
    this.#type = type as NumbersType;
    this.#values = new this.#type(new ArrayBuffer(FIRST_CAPACITY * this.#type.BYTES_PER_ELEMENT));
  }

  static ofBytes(): Column<Uint8Array<SharedArrayBuffer>> {
    return new Column(Uint8Array);
  }

  /** Whole numbers below 2^32. */
  static ofWords(): Column<Uint32Array<SharedArrayBuffer>> {
    return new Column(Uint32Array);
  }

  /** Whole numbers below 2^53, or any double. */
  static ofNumbers(): Column<Float64Array<SharedArrayBuffer>> {
    return new Column(Float64Array);
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

  /** The values so far, until one is added. */
  get values(): Numbers<ArrayBuffer> {
    return this.#values.subarray(0, this.#length);
  }

  /** Gives the memory back. The column is empty then. */
  release(): void {
    this.#values.buffer.transfer(0);
    this.#values = new this.#type(new ArrayBuffer(0));
    this.#length = 0;
  }

  /** All values in shared memory. The column is empty then. */
  share(): T {
    const shared = new this.#type(new SharedArrayBuffer(this.#length * this.#type.BYTES_PER_ELEMENT));
    shared.set(this.values);
    this.release();
    return shared as T;
  }

  /** Memory that is outgrown is not left to the collector, which may come when there is twice as much of it. */
  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#values.length) return;
    const capacity = Math.max(this.#values.length * 2, needed, FIRST_CAPACITY);
    this.#values = new this.#type(this.#values.buffer.transfer(capacity * this.#type.BYTES_PER_ELEMENT));
  }
}
