/**
 * What opens a kit: a passphrase, or enough shares of one.
 *
 * A made passphrase is 128 random bits as twelve words (BIP 39, whose checksum finds a word that was misread). Shares are of
 * these bits, by Shamir's scheme over GF(2^8), each as bech32m, whose checksum finds up to four wrong characters.
 */
import { randomBytes } from 'node:crypto';
import { bech32m } from '@scure/base';
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39';
import { wordlist } from '@scure/bip39/wordlists/english.js';
import { combine, split } from 'shamir-secret-sharing';
import { HoldfastError } from '../../foundation/errors.ts';

const MADE_BYTES = 16;
/** Of a made passphrase. */
export const MADE_BITS = MADE_BYTES * 8;
const SHARE_PREFIX = 'kitshare';
const SHARE_GROUPS = /.{1,4}/g;
/** Two bytes that all shares of one splitting have, and how many of them it takes. */
const SHARE_HEADER_BYTES = 3;
const MOST_SHARES = 255;

export interface Shares {
  shares: number;
  threshold: number;
}

/** A passphrase of 128 random bits: words with hyphens between. */
export function makePassphrase(): string {
  return asWords(randomBytes(MADE_BYTES));
}

function asWords(bits: Uint8Array): string {
  return entropyToMnemonic(bits, wordlist).replaceAll(' ', '-');
}

/** The bits of a made passphrase, however its words were typed; undefined of any other. */
function bitsOf(text: string): Uint8Array | undefined {
  try {
    const bits = mnemonicToEntropy(
      text
        .trim()
        .toLowerCase()
        .split(/[\s-]+/)
        .join(' '),
      wordlist,
    );
    return bits.length === MADE_BYTES ? bits : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a passphrase is one that was made: then it has `MADE_BITS` bits. */
export function isMade(passphrase: string): boolean {
  return bitsOf(passphrase) !== undefined;
}

/**
 * Shares of a made passphrase, each for another person: `threshold` of them give it back, and fewer say nothing of it.
 * @throws bad-usage for numbers that make no sense, and for a passphrase that was not made
 */
export async function splitPassphrase(passphrase: string, { shares, threshold }: Shares): Promise<string[]> {
  const isSound = Number.isInteger(shares) && Number.isInteger(threshold) && threshold >= 2;
  if (!isSound || shares < threshold || shares > MOST_SHARES) {
    throw new HoldfastError('bad-usage', `${threshold} of ${shares} shares cannot be made`, {
      hint: `Give --threshold from 2 up to the number of --shares, of which there are ${MOST_SHARES} at most.`,
    });
  }
  const bits = bitsOf(passphrase);
  if (bits === undefined) {
    throw new HoldfastError(
      'bad-usage',
      'shares are made of a passphrase that Holdfast made, and this is another one',
      {
        hint: 'Leave the passphrase away, and a new one is made and split.',
      },
    );
  }
  const header = Uint8Array.of(...randomBytes(2), threshold);
  return (await split(bits, shares, threshold)).map((share) => {
    const encoded = bech32m.encodeFromBytes(SHARE_PREFIX, Uint8Array.of(...header, ...share));
    const start = `${SHARE_PREFIX}1`;
    return [start, ...encoded.slice(start.length).match(SHARE_GROUPS)!].join(' ');
  });
}

/** Whether a text begins as a share does. */
export function isShare(text: string): boolean {
  return unspaced(text).startsWith(`${SHARE_PREFIX}1`);
}

/** How many more shares it takes beside those in a text; 0 of a passphrase. @throws bad-usage for a mistyped share */
export function sharesMissing(text: string): number {
  const shares = sharesIn(text).map(parseShare);
  const [first] = shares;
  return first === undefined ? 0 : Math.max(0, first.threshold - new Set(shares.map(({ at }) => at)).size);
}

/**
 * The passphrase that a person or a variable gave: itself, or the shares that give it, one behind the other.
 * @throws bad-usage for a mistyped share; too-few-shares
 */
export async function passphraseIn(text: string): Promise<string> {
  const shares = sharesIn(text).map(parseShare);
  const [first] = shares;
  if (first === undefined) {
    const bits = bitsOf(text);
    return bits === undefined ? text : asWords(bits);
  }
  if (shares.some(({ of }) => of !== first.of)) {
    throw new HoldfastError('bad-usage', 'the shares are of different passphrases', {
      hint: 'Shares that were made together begin alike: take only those of the newest kit.',
    });
  }
  const different = [...new Map(shares.map((share) => [share.at, share.bytes])).values()];
  if (different.length < first.threshold) {
    throw new HoldfastError(
      'too-few-shares',
      `there are ${different.length} of ${first.threshold} shares that it takes`,
      {
        hint: 'Call the next person who has one: the contacts are on the printed page.',
      },
    );
  }
  return asWords(await combine(different));
}

function sharesIn(text: string): string[] {
  return isShare(text) ? unspaced(text).split(new RegExp(`(?=${SHARE_PREFIX}1)`)) : [];
}

function unspaced(text: string): string {
  return text.toLowerCase().replace(/[\s,;-]+/g, '');
}

interface Share {
  /** What shares that were made together have in common. */
  of: string;
  threshold: number;
  /** Which of the shares it is. */
  at: number;
  bytes: Uint8Array;
}

function parseShare(text: string): Share {
  const bytes = decodedShare(text);
  if (bytes?.length !== SHARE_HEADER_BYTES + MADE_BYTES + 1) {
    throw new HoldfastError('bad-usage', 'a share is mistyped: its checksum does not fit', {
      hint: 'Compare it with what was written down: l and 1, or 0 and o, are never both in it.',
    });
  }
  const share = bytes.subarray(SHARE_HEADER_BYTES);
  const of = Buffer.from(bytes.subarray(0, SHARE_HEADER_BYTES)).toString('hex');
  return { of, threshold: bytes[SHARE_HEADER_BYTES - 1]!, at: share.at(-1)!, bytes: share };
}

function decodedShare(text: string): Uint8Array | undefined {
  try {
    return bech32m.decodeToBytes(text).bytes;
  } catch {
    return undefined;
  }
}
