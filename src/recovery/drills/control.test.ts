import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../foundation/errors.ts';
import { isUnreadable, judge } from './control.ts';

const failed = (...tables: string[]): string => JSON.stringify(tables.map((name) => ({ name, result: 'failed' })));

describe('what was planted in a copy', () => {
  it.each([
    ['is found where it is named', failed(), failed('public.orders'), 'found'],
    ['is missed where nothing is', failed(), failed(), 'missed'],
    ['is missed where no more is found than before', failed('public.users'), failed('public.users'), 'missed'],
    [
      'is nobody knows what where the same had been changed before',
      failed('public.orders'),
      failed('public.orders'),
      'unknown',
    ],
    ['is nobody knows what where all else is found', failed(), failed('schema'), 'unknown'],
  ] as const)('%s', (_, before, after, judgement) => {
    expect(judge({ items: ['public.orders'], before }, after)).toBe(judgement);
  });

  it('is found where it cannot be read, and not where nobody answers', () => {
    const error = (sqlState?: string) => new HoldfastError('target-failed', 'it failed', { context: { sqlState } });
    expect(['XX001', '22021'].map((state) => isUnreadable(error(state)))).toEqual([true, true]);
    expect([undefined, '57P03', '28000'].map((state) => isUnreadable(error(state)))).toEqual([false, false, false]);
  });
});
