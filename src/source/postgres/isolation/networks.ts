/** Networks of addresses, and all that is in none of them. Pure. */
import { isIPv4, isIPv6 } from 'node:net';

const BITS = { 4: 32n, 6: 128n } as const;
type Family = keyof typeof BITS;

/** Addresses from the first to the last one, as numbers. */
interface Range {
  first: bigint;
  last: bigint;
}

/**
 * The networks that have every address but those of the given ones: IPv4 first, each the largest that there is, in order.
 * @param networks addresses, or networks such as 10.0.0.0/8
 * @throws TypeError for what is neither
 */
export function complementOf(networks: readonly string[]): string[] {
  const parsed = networks.map(parse);
  return ([4, 6] as const).flatMap((family) => {
    const own = parsed.filter((each) => each.family === family).sort((a, b) => (a.first < b.first ? -1 : 1));
    const gaps: Range[] = [];
    let next = 0n;
    for (const { first, last } of own) {
      if (first > next) gaps.push({ first: next, last: first - 1n });
      if (last >= next) next = last + 1n;
    }
    const end = 1n << BITS[family];
    if (next < end) gaps.push({ first: next, last: end - 1n });
    return gaps.flatMap((gap) => blocksOf(gap, family));
  });
}

/** Whether an address is in one of these networks. */
export function isWithin(address: string, networks: readonly string[]): boolean {
  const { family, first } = parse(address);
  return networks.map(parse).some((each) => each.family === family && each.first <= first && first <= each.last);
}

/** The fewest networks that are just these addresses. */
function blocksOf({ first, last }: Range, family: Family): string[] {
  const bits = BITS[family];
  const blocks: string[] = [];
  for (let at = first; at <= last; ) {
    let free = 0n;
    while (free < bits && at % (2n << free) === 0n && at + (2n << free) - 1n <= last) free++;
    blocks.push(`${text(at, family)}/${bits - free}`);
    at += 1n << free;
  }
  return blocks;
}

function parse(network: string): Range & { family: Family } {
  const [address = '', length, ...others] = network.split('/');
  const family = isIPv4(address) ? 4 : isIPv6(address) ? 6 : undefined;
  if (family === undefined || others.length > 0) throw new TypeError(`${network} is no address and no network`);
  const bits = BITS[family];
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? BigInt(length) : -1n;
  if (prefix < 0n || prefix > bits) throw new TypeError(`${network} is no network`);
  const size = 1n << (bits - prefix);
  const first = (numberOf(address, family) / size) * size;
  return { family, first, last: first + size - 1n };
}

function numberOf(address: string, family: Family): bigint {
  if (family === 4) return address.split('.').reduce((sum, part) => (sum << 8n) + BigInt(part), 0n);
  // As URLs have it: an IPv4 address at its end is written in hexadecimal.
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = '', right] = plain.split('::');
  const [head, tail] = [left, right ?? ''].map((part) => part.split(':').filter((each) => each !== '')) as [
    string[],
    string[],
  ];
  const middle = new Array<string>(8 - head.length - tail.length).fill('0');
  return [...head, ...middle, ...tail].reduce((sum, part) => (sum << 16n) + BigInt(`0x${part}`), 0n);
}

function text(value: bigint, family: Family): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
  const parts = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  return new URL(`http://[${parts.join(':')}]`).hostname.slice(1, -1);
}
