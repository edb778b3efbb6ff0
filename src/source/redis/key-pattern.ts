/** Whether a key is meant. */
export type KeyMatcher = (key: Uint8Array) => boolean;

/** What stands for one character of a key: which bytes it may be. */
type Place = 'any' | { bytes: ReadonlySet<number>; isExcluded: boolean };

const [STAR, QUESTION, OPEN, CLOSE, CARET, DASH, ESCAPE] = [0x2a, 0x3f, 0x5b, 0x5d, 0x5e, 0x2d, 0x5c];

/**
 * Matches keys as SCAN and KEYS do: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before what stands for itself.
 * Source: "KEYS", redis.io/docs/latest/commands/keys.
 */
export function keyPattern(pattern: string): KeyMatcher {
  const places = placesOf(Buffer.from(pattern, 'utf8'));
  return (key) => matches(places, key);
}

/** A key that any of the patterns means. */
export function anyPattern(patterns: readonly string[]): KeyMatcher {
  const matchers = patterns.map(keyPattern);
  return (key) => matchers.some((match) => match(key));
}

/** Which keys any of the patterns means, and which of the patterns mean a key. */
export class NamedKeys {
  readonly #patterns: { pattern: string; means: KeyMatcher; isUsed: boolean }[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => ({ pattern, means: keyPattern(pattern), isUsed: false }));
  }

  see(key: Uint8Array): void {
    for (const each of this.#patterns) if (!each.isUsed) each.isUsed = each.means(key);
  }

  /** Those that meant none of the keys that were seen. */
  get unused(): string[] {
    return this.#patterns.filter(({ isUsed }) => !isUsed).map(({ pattern }) => pattern);
  }
}

/** A key, fit to be shown. */
export function shownKey(key: Uint8Array): string {
  const text = Buffer.from(key.subarray(0, LONGEST_SHOWN_BYTES)).toString('utf8');
  const shown = text.replace(/[\p{Cc}\p{Cf}\uFFFD]/gu, '·');
  return key.length > LONGEST_SHOWN_BYTES ? `${shown}…` : shown;
}

const LONGEST_SHOWN_BYTES = 120;

type Part = 'star' | Place;

function placesOf(pattern: Uint8Array): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const byte = pattern[at]!;
    if (byte === STAR) {
      if (parts.at(-1) !== 'star') parts.push('star');
    } else if (byte === QUESTION) parts.push('any');
    else if (byte === OPEN) {
      const { place, end } = classAt(pattern, at + 1);
      parts.push(place);
      at = end;
    } else {
      if (byte === ESCAPE && at + 1 < pattern.length) at++;
      parts.push({ bytes: new Set([pattern[at]!]), isExcluded: false });
    }
  }
  return parts;
}

/** @returns where its closing bracket is, or the pattern's last byte */
function classAt(pattern: Uint8Array, start: number): { place: Place; end: number } {
  let at = start;
  const isExcluded = pattern[at] === CARET;
  if (isExcluded) at++;
  const bytes = new Set<number>();
  for (; at < pattern.length && pattern[at] !== CLOSE; at++) {
    if (pattern[at] === ESCAPE && at + 1 < pattern.length) at++;
    const from = pattern[at]!;
    let to = from;
    if (pattern[at + 1] === DASH && at + 2 < pattern.length && pattern[at + 2] !== CLOSE) {
      at += 2;
      to = pattern[at]!;
    }
    for (let byte = Math.min(from, to); byte <= Math.max(from, to); byte++) bytes.add(byte);
  }
  return { place: { bytes, isExcluded }, end: Math.min(at, pattern.length - 1) };
}

/** Goes back to the last star alone, which is enough: the time is bounded by both lengths' product. */
function matches(parts: readonly Part[], key: Uint8Array): boolean {
  let part = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < key.length) {
    const wanted = parts[part];
    if (wanted === 'star') {
      star = part++;
      starAt = at;
    } else if (wanted !== undefined && fits(wanted, key[at]!)) {
      part++;
      at++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++starAt;
    } else return false;
  }
  while (parts[part] === 'star') part++;
  return part === parts.length;
}

function fits(place: Place, byte: number): boolean {
  return place === 'any' || place.bytes.has(byte) !== place.isExcluded;
}
