/** Text in the making, as bytes: nothing is made for what is added. */
export class ByteText {
  #bytes = new Uint8Array(64 * 1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** All of it, valid until something is added or cleared. */
  get taken(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  add(text: Uint8Array): void {
    this.addPart(text, 0, text.length);
  }

  addPart(text: Uint8Array, begin: number, end: number): void {
    this.#reserve(end - begin);
    const bytes = this.#bytes;
    let to = this.#length;
    // These are short: to call for a copy takes longer.
    for (let from = begin; from < end; from++) bytes[to++] = text[from]!;
    this.#length = to;
  }

  /** Adds what it has from `begin` to `end` once more. */
  addAgain(begin: number, end: number): void {
    this.#reserve(end - begin);
    this.addPart(this.#bytes, begin, end);
  }

  addText(text: string): void {
    this.#reserve(text.length * MOST_UTF8_BYTES);
    this.#length += encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  /** @param value a whole number, not below zero, up to 2^53 */
  addDigits(value: number): void {
    this.#reserve(MOST_DIGITS);
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    let rest = value;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const next = Math.floor(rest / 10);
      this.#bytes[at] = ZERO + (rest - next * 10);
      rest = next;
    }
    this.#length += digits;
  }

  /** A point, and as many of nine digits as are no zeros at the end. @param billionths above zero */
  addFraction(billionths: number): void {
    let digits = 9;
    let rest = billionths;
    while (rest % 10 === 0) {
      rest /= 10;
      digits--;
    }
    this.#reserve(MOST_DIGITS);
    this.#bytes[this.#length] = POINT;
    for (let at = this.#length + digits; at > this.#length; at--) {
      this.#bytes[at] = ZERO + (rest % 10);
      rest = (rest / 10) | 0;
    }
    this.#length += digits + 1;
  }

  addHex(values: Uint8Array, begin: number, end: number): void {
    this.#reserve((end - begin) * 2);
    const bytes = this.#bytes;
    let to = this.#length;
    for (let from = begin; from < end; from++) {
      const value = values[from]!;
      bytes[to++] = HEX[value >> 4]!;
      bytes[to++] = HEX[value & 15]!;
    }
    this.#length = to;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

const MOST_UTF8_BYTES = 3;
const MOST_DIGITS = 16;
const ZERO = 0x30;
const POINT = 0x2e;
const HEX = new Uint8Array(Buffer.from('0123456789abcdef'));
const encoder = new TextEncoder();
