import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { counted, shownTime, table } from './text.ts';

describe('text for people', () => {
  it('lines columns up by what is seen of them, whatever their colours', () => {
    const rows = [
      ['name', 'size'],
      ['\u001b[32mä\u001b[39m', '5 B'],
      ['longer', '1024 B'],
    ];
    const lines = stripVTControlCharacters(table(rows, { right: [1] })).split('\n');
    expect(lines).toEqual(['name      size', 'ä          5 B', 'longer  1024 B']);
  });

  it('counts in words', () => {
    expect([counted(1, 'file'), counted(12_345, 'file'), counted(2, 'repository', 'repositories')]).toEqual([
      '1 file',
      '12,345 files',
      '2 repositories',
    ]);
  });

  it('shows times to the second, in UTC', () => {
    expect(shownTime('2026-01-31T14:03:06.123456Z')).toBe('2026-01-31 14:03:06Z');
  });
});
