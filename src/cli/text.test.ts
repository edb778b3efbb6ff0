import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { counted, good, ofOthers, printable, shownTime, strong, table } from './text.ts';

describe('text for people', () => {
  beforeEach(() => {
    vi.stubEnv('NO_COLOR', undefined);
    vi.stubEnv('FORCE_COLOR', '1');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('is in our own colours, and shows the sequences of others for what they are', () => {
    const hostile = '\u001b[32mproven\u001b[39m \u001b]0;title\u0007\u009b2J\r\u202e';
    const text = `${good('yes')} ${strong(hostile)}\n\tnext`;
    expect(printable(text)).toBe(
      '\u001b[32myes\u001b[39m \u001b[1m\\x1b[32mproven\\x1b[39m \\x1b]0;title\\x07\\x9b2J\\r\\u202e\u001b[22m\n\tnext',
    );
  });

  it('keeps what others wrote on one line, and leaves other scripts alone', () => {
    expect(ofOthers('a\nb\tc\u2028d')).toBe('a\\nb\\tc\\u2028d');
    expect(ofOthers('Jürgen 日本 שלום 👩‍🚒 C:\\x')).toBe('Jürgen 日本 שלום 👩‍🚒 C:\\x');
    expect(table([['name'], ['a\nforged  row']]).split('\n')).toHaveLength(2);
  });

  it('lines columns up by what is seen of them, whatever their colours', () => {
    const rows = [
      ['name', 'size'],
      [good('ä'), '5 B'],
      ['longer', '1024 B'],
    ];
    const lines = stripVTControlCharacters(printable(table(rows, { right: [1] }))).split('\n');
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
