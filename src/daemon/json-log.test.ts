import { describe, expect, it } from 'vitest';
import { newSecret } from '../operations/tokens/secret.ts';
import { createLog, type LogFormat } from './json-log.ts';

function logTo(format: LogFormat) {
  const lines: string[] = [];
  const clock = { nowMs: () => Date.parse('2026-01-31T14:03:06Z'), monotonicMs: () => 0 };
  return { lines, log: createLog({ format, clock, write: (line) => lines.push(line) }) };
}

describe('a log', () => {
  it('is a JSON document for each message', () => {
    const { log, lines } = logTo('json');
    log.info('run started', { run: 'a1', attempt: 1, due: undefined, tags: ['a', 'b'] });
    log.error('run\nfinished', { outcome: 'failed' });
    expect(lines.map((line) => [line.endsWith('\n'), JSON.parse(line)])).toEqual([
      [
        true,
        {
          level: 'info',
          time: '2026-01-31T14:03:06.000Z',
          run: 'a1',
          attempt: 1,
          tags: ['a', 'b'],
          message: 'run started',
        },
      ],
      [true, { level: 'error', time: '2026-01-31T14:03:06.000Z', outcome: 'failed', message: 'run\nfinished' }],
    ]);
  });

  it('is a line of text for each message, in which no value looks like another', () => {
    const { log, lines } = logTo('text');
    log.warn('runs were missed', { task: 'backup:db', why: 'a "b" c=d\nerror x', tags: ['a', 'b'] });
    expect(lines).toEqual([
      '2026-01-31T14:03:06.000Z warn  runs were missed task=backup:db why="a \\"b\\" c=d\\nerror x" tags=a,b\n',
    ]);
  });

  it.each<LogFormat>(['json', 'text'])('shows no secret, wherever it came from, as %s', (format) => {
    const { log, lines } = logTo(format);
    const token = newSecret();
    log.info(`refused ${token}`, {
      header: `Authorization: Bearer ${token}`,
      other: 'authorization=basic dXNlcjpwYXNz',
    });
    log.error('postgres://user:pass@word:5432/db', { link: '/acknowledge/a?expires=1&signature=abcdef0123' });
    const all = lines.join('');
    for (const secret of [token.slice(9), 'dXNlcjpwYXNz', ':pass@', 'abcdef0123']) expect(all).not.toContain(secret);
    expect(all).toContain('postgres://user:…@word:5432/db');
  });
});
