import { describe, expect, it } from 'vitest';
import { isIrreducible, newChunkerPolynomial } from './polynomial.ts';

describe('a chunker polynomial', () => {
  it('is irreducible and of degree 53', () => {
    for (let round = 0; round < 5; round++) {
      const polynomial = BigInt(`0x${newChunkerPolynomial()}`);
      expect(polynomial >> 53n).toBe(1n);
      expect(isIrreducible(polynomial)).toBe(true);
    }
  });

  // From the documentation of restic's chunker.
  it.each([0x3da3358b4dc173n, 0x3abc9bff07d9e5n])('is recognised: %s', (polynomial) => {
    expect(isIrreducible(polynomial)).toBe(true);
  });

  it('is never the product of two, nor of another degree', () => {
    expect(isIrreducible(0x3da3358b4dc172n)).toBe(false);
    expect(isIrreducible(0x3da3358b4dc173n << 1n)).toBe(false);
    expect(isIrreducible(0b111n)).toBe(false);
    // x^53 + 1 is divisible by x + 1.
    expect(isIrreducible((1n << 53n) | 1n)).toBe(false);
    let product = 0n;
    // (x^2 + x + 1) times a polynomial of degree 51.
    const other = (1n << 51n) | 0b1011011n;
    for (let bit = 0n; bit < 3n; bit++) product ^= other << bit;
    expect(isIrreducible(product)).toBe(false);
  });
});
