import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { askSecret, type Terminal } from './ask.ts';

function terminal(): { terminal: Terminal; type: (text: string) => void; shown: () => string; raw: boolean[] } {
  const input = new EventEmitter();
  const raw: boolean[] = [];
  let shown = '';
  const stream = Object.assign(input, {
    isTTY: true,
    setRawMode: (mode: boolean) => void raw.push(mode),
    resume: () => {},
    pause: () => {},
  });
  const output = {
    write: (text: string) => {
      shown += text;
    },
  };
  return {
    terminal: { input: stream, output } as unknown as Terminal,
    type: (text) => void input.emit('data', Buffer.from(text)),
    shown: () => shown,
    raw,
  };
}

describe('a question for a secret', () => {
  it('shows nothing of the answer, and gives the terminal back as it was', async () => {
    const { terminal: asked, type, shown, raw } = terminal();
    const answer = askSecret('password: ', asked);
    type('hunt');
    type('er2\r');
    expect(await answer).toBe('hunter2');
    expect(shown()).toBe('password: \n');
    expect(raw).toEqual([true, false]);
  });

  it('takes corrections, whole characters at a time, and a line begun anew', async () => {
    const { terminal: asked, type } = terminal();
    const answer = askSecret('', asked);
    type('wrong\u0015pä☃\u007f\u007fass\n');
    expect(await answer).toBe('pass');
  });

  it.each(['\u0003', 'abc\u0003', '\u0004'])('ends when it is interrupted (%j)', async (keys) => {
    const { terminal: asked, type, raw } = terminal();
    const answer = askSecret('', asked);
    type(keys);
    await expect(answer).rejects.toMatchObject({ code: 'interrupted' });
    expect(raw.at(-1)).toBe(false);
  });
});
