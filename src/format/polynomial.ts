import { randomBytes } from 'node:crypto';

/**
 * The polynomial over GF(2) in a repository's configuration: irreducible, of degree 53, secret and random.
 * restic cuts content with it; Holdfast derives its own cutting from it. A polynomial is a bigint, bit i the coefficient
 * of x^i. Source: restic's chunker; M. O. Rabin, "Probabilistic algorithms in finite fields" (1980).
 */

const DEGREE = 53;

function degree(polynomial: bigint): number {
  return polynomial === 0n ? -1 : polynomial.toString(2).length - 1;
}

function remainder(dividend: bigint, divisor: bigint): bigint {
  const divisorDegree = degree(divisor);
  let rest = dividend;
  for (let excess = degree(rest) - divisorDegree; excess >= 0; excess = degree(rest) - divisorDegree) {
    rest ^= divisor << BigInt(excess);
  }
  return rest;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [first, second] = [a, b];
  while (second !== 0n) [first, second] = [second, remainder(first, second)];
  return first;
}

function squareModulo(polynomial: bigint, modulus: bigint): bigint {
  // Squaring over GF(2) puts a zero between all bits.
  return remainder(BigInt(`0b${polynomial.toString(2).split('').join('0')}`), modulus);
}

/** Rabin's test. 53 is prime, so x^(2^53) = x, and no common factor with x^2 - x, are all that it asks. */
export function isIrreducible(polynomial: bigint): boolean {
  if (degree(polynomial) !== DEGREE) return false;
  const x = 2n;
  let power = x;
  for (let round = 0; round < DEGREE; round++) {
    power = squareModulo(power, polynomial);
    if (round === 0 && greatestCommonDivisor(polynomial, power ^ x) !== 1n) return false;
  }
  return power === x;
}

/** A new random one, as the hexadecimal text that the configuration holds. */
export function newChunkerPolynomial(): string {
  for (;;) {
    const random = BigInt(`0x${randomBytes(7).toString('hex')}`) & ((1n << BigInt(DEGREE)) - 1n);
    const candidate = random | (1n << BigInt(DEGREE)) | 1n;
    if (isIrreducible(candidate)) return candidate.toString(16);
  }
}
