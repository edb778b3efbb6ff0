import { isIPv6 } from 'node:net';
import type { Clock } from '../../foundation/clock.ts';

/** So many wrong tokens an address may show in the window that begins with the first. */
const PER_ADDRESS = 10;
const ADDRESS_WINDOW_MS = 10 * 60_000;
/** From so many on, of all addresses together, only those are heard that have shown a right one lately. */
const OF_ALL = 100;
const ALL_WINDOW_MS = 60_000;
const TRUSTED_MS = 24 * 60 * 60_000;
/** As many addresses are remembered; the oldest is forgotten first. */
const REMEMBERED = 10_000;

interface Window {
  endsMs: number;
  failures: number;
}

/** How many wrong tokens came from where, and who is not heard for how long. */
export class FailedLogins {
  readonly #clock: Clock;
  readonly #byAddress = new Map<string, Window>();
  readonly #trusted = new Map<string, number>();
  #all: Window = { endsMs: 0, failures: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For how long the address is not heard, in milliseconds; 0 when it is. */
  refusedForMs(address: string): number {
    const nowMs = this.#clock.monotonicMs();
    const from = originOf(address);
    const own = this.#byAddress.get(from);
    if (own !== undefined && own.endsMs > nowMs && own.failures >= PER_ADDRESS) return own.endsMs - nowMs;
    const isTrusted = (this.#trusted.get(from) ?? Number.NEGATIVE_INFINITY) > nowMs;
    const isFlooded = this.#all.endsMs > nowMs && this.#all.failures >= OF_ALL;
    return isFlooded && !isTrusted ? this.#all.endsMs - nowMs : 0;
  }

  failed(address: string): void {
    const nowMs = this.#clock.monotonicMs();
    const from = originOf(address);
    remember(this.#byAddress, from, oneMore(this.#byAddress.get(from), nowMs, ADDRESS_WINDOW_MS));
    this.#all = oneMore(this.#all, nowMs, ALL_WINDOW_MS);
  }

  succeeded(address: string): void {
    remember(this.#trusted, originOf(address), this.#clock.monotonicMs() + TRUSTED_MS);
  }
}

/** Whoever has an IPv6 address has the 2^64 of its network. */
export function originOf(address: string): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('%')[0]!.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  const groups = [...before, ...zeros, ...after].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${groups.join(':')}::/64`;
}

function oneMore(window: Window | undefined, nowMs: number, lengthMs: number): Window {
  if (window === undefined || window.endsMs <= nowMs) return { endsMs: nowMs + lengthMs, failures: 1 };
  return { endsMs: window.endsMs, failures: window.failures + 1 };
}

function remember<T>(known: Map<string, T>, address: string, value: T): void {
  known.delete(address);
  known.set(address, value);
  if (known.size > REMEMBERED) known.delete(known.keys().next().value!);
}
