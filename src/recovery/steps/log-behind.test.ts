import { expect, it } from 'vitest';
import { logBehindText } from './log-behind.ts';

const GAPS = [{ start: '0/3000000', end: '0/4000000' }];

it.each([
  ['goes on', { from: 'a', time: '2026-03-02T11:00:00Z', gaps: [] }, 'goes on from there without a gap, until 2026'],
  ['goes on, without a time yet', { from: 'a', gaps: [] }, /without a gap$/],
  ['has a gap', { from: 'a', gaps: GAPS }, 'has a gap from 0/3000000 to 0/4000000: `holdfast backup db`'],
  ['goes on from another backup', { from: 'b', gaps: [] }, 'nothing of the log of db behind it is stored yet'],
  ['goes on from none', { gaps: GAPS }, 'nothing of the log of db behind it is stored yet'],
])('a log that %s is said to', (_, log, text) => {
  expect(logBehindText('db', log, 'a')).toMatch(text);
});

it('is of no backup that there is not', () => {
  expect(logBehindText('db', { gaps: [] }, undefined)).toContain('nothing of the log');
});
