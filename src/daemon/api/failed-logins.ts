import { isIPv6 } from 'node:net';
import type { Clock } from '../../foundation/clock.ts';

/** So many wrong tokens an address may show in the window that begins with the first. */
const PER_ADDRESS = 10;
const ADDRESS_WINDOW_MS = 10 * 60_000;
/** From so many on, of all addresses together, no wrong one is looked at any more. */
const OF_ALL = 100;
const ALL_WINDOW_MS = 60_000;
/** As many addresses are remembered; the oldest is forgotten first. */
const REMEMBERED = 10_000;

interface Window {
  endsMs: number;
  failures: number;
}

/** How many wrong tokens came from where, and from where none is looked at for how long. */
export class FailedLogins {
  readonly #clock: Clock;
  readonly #byAddress = new Map<string, Window>();
  #all: Window = { endsMs: 0, failures: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For how long a wrong token of the address is refused unseen, in milliseconds; 0 when it is looked at. */
  refusedForMs(address: string): number {
    const nowMs = this.#clock.monotonicMs();
    const from = originOf(address);
    const own = this.#byAddress.get(from);
    if (own !== undefined && own.endsMs > nowMs && own.failures >= PER_ADDRESS) return own.endsMs - nowMs;
    const isFlooded = this.#all.endsMs > nowMs && this.#all.failures >= OF_ALL;
    return isFlooded ? this.#all.endsMs - nowMs : 0;
  }

  failed(address: string): void {
    const nowMs = this.#clock.monotonicMs();
    const from = originOf(address);
    remember(this.#byAddress, from, oneMore(this.#byAddress.get(from), nowMs, ADDRESS_WINDOW_MS));
    this.#all = oneMore(this.#all, nowMs, ALL_WINDOW_MS);
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

function remember(known: Map<string, Window>, address: string, value: Window): void {
  known.delete(address);
  known.set(address, value);
  if (known.size > REMEMBERED) known.delete(known.keys().next().value!);
}
