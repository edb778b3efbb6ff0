import { describe, expect, it } from 'vitest';
import { ReadWindow, type Region } from './read-window.ts';

/** What a promise has come to by now. */
async function now<T>(promise: Promise<T>): Promise<T | 'waiting'> {
  await new Promise(setImmediate);
  return Promise.race([promise, Promise.resolve('waiting' as const)]);
}

const place = ({ start, bytes }: Region): [number, number] => [start, bytes.length];

describe('a window of shared memory', () => {
  it('gives places that do not overlap, and no more than there are', async () => {
    const window = new ReadWindow(100);
    const taken = await Promise.all([window.take(40), window.take(30), window.take(30)]);
    expect(taken.map(place)).toEqual([
      [0, 40],
      [40, 30],
      [70, 30],
    ]);
    const next = window.take(20);
    expect(await now(next)).toBe('waiting');
    window.give(taken[1]!);
    expect(place(await next)).toEqual([40, 20]);
    expect(place(await window.take(10))).toEqual([60, 10]);
  });

  it('lets nobody overtake who waits for a larger place', async () => {
    const window = new ReadWindow(100);
    const first = await window.take(60);
    const large = window.take(80);
    const small = window.take(10);
    expect(await now(small)).toBe('waiting');
    window.give(first);
    expect(place(await large)).toEqual([0, 80]);
    expect(place(await small)).toEqual([80, 10]);
  });

  it('gives what is larger than itself memory of its own, once nobody else has any', async () => {
    const window = new ReadWindow(100);
    const small = await window.take(1);
    const large = window.take(101);
    expect(await now(large)).toBe('waiting');
    window.give(small);
    const region = await large;
    expect(region.bytes).toHaveLength(101);
    const after = window.take(1);
    expect(await now(after)).toBe('waiting');
    window.give(region);
    expect(place(await after)).toEqual([0, 1]);
  });
});
