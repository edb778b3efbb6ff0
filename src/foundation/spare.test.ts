import { afterEach, expect, test, vi } from 'vitest';
import { dropSpares, Spare } from './spare.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('is taken by one alone', () => {
  const spare = new Spare<string>();
  spare.keep('memory');
  expect([spare.take(), spare.take()]).toEqual(['memory', undefined]);
});

test('is kept of two that were used at once, and of no more', () => {
  const spare = new Spare<string>();
  for (const value of ['oldest', 'older', 'newest']) spare.keep(value);
  expect([spare.take(), spare.take(), spare.take()]).toEqual(['newest', 'older', undefined]);
});

test('is not kept for long', () => {
  vi.useFakeTimers();
  const spare = new Spare<string>();
  spare.keep('memory');
  vi.advanceTimersByTime(1999);
  spare.keep('newer');
  vi.advanceTimersByTime(1999);
  expect(spare.take()).toBe('newer');
  spare.keep('memory');
  vi.advanceTimersByTime(2000);
  expect(spare.take()).toBeUndefined();
});

test('is given up where memory is given back', () => {
  const spares = [new Spare<string>(), new Spare<string>()];
  for (const spare of spares) spare.keep('memory');
  dropSpares();
  expect(spares.map((spare) => spare.take())).toEqual([undefined, undefined]);
});
