import { describe, expect, it } from 'vitest';
import { type OpenAlert, reasonsForSilence } from './wellbeing.ts';

const MINUTE_MS = 60_000;
const alert: OpenAlert = { rule: 'rpo-breach', subject: 'db', severity: 'p1', isSeenTo: false, isUntold: false };

describe('reasons to tell a watch outside nothing', () => {
  const of = (change: Partial<OpenAlert>, agoMs = 0): string[] =>
    reasonsForSilence({ lookedMs: 0, open: [{ ...alert, ...change }] }, agoMs);

  it('are a p1 that nobody sees to, and whatever nobody could be told of', () => {
    expect(of({})).toEqual(['rpo-breach of db is open, and nobody has acknowledged it']);
    expect(of({ severity: 'p3', isUntold: true })).toEqual(['nobody could be told of rpo-breach of db']);
    expect(of({ isSeenTo: true })).toEqual([]);
    expect(of({ isSeenTo: true, isUntold: true })).toEqual([]);
    expect(of({ severity: 'p2' })).toEqual([]);
  });

  it('are that nobody has looked, or not for long', () => {
    expect(reasonsForSilence(undefined, 0)).toHaveLength(1);
    expect(of({ isSeenTo: true }, 5 * MINUTE_MS)).toEqual([]);
    expect(of({ isSeenTo: true }, 5 * MINUTE_MS + 1)).toEqual(['nobody has looked for what is wrong for 5 min']);
  });
});
