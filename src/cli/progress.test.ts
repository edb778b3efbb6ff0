import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { settled } from '../foundation/promises.ts';
import { ProgressDisplay } from './progress.ts';

class FakeStream {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 200;

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): boolean {
    this.text += text;
    return true;
  }
}

function displayOn(isTTY: boolean, enabled = true): { display: ProgressDisplay; stream: FakeStream } {
  const stream = new FakeStream(isTTY);
  return { display: new ProgressDisplay(stream as unknown as NodeJS.WriteStream, enabled), stream };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('progress', () => {
  it('shows nothing of what is over within two seconds', () => {
    const { display, stream } = displayOn(true);
    display.task('db').phase('copying', { bytes: 100 });
    vi.advanceTimersByTime(1800);
    display.stop();
    expect(stream.text).toBe('');
  });

  it('shows share, throughput and time left on a terminal, and leaves nothing behind', () => {
    const { display, stream } = displayOn(true);
    const progress = display.task('db');
    progress.phase('copying', { bytes: 100 * 1024 * 1024 });
    progress.advance({ bytes: 25 * 1024 * 1024 });
    vi.advanceTimersByTime(5000);
    expect(stream.text).toContain('db: copying  25%  25 MiB of 100 MiB  5 MiB/s  15 s left');
    stream.text = '';
    display.stop();
    expect(stream.text).toBe('\r\u001b[1A\u001b[0J');
  });

  it('has a total found out where somebody sees it, once', async () => {
    const estimate = vi.fn(async () => ({ bytes: 100 * 1024 * 1024 }));
    const { display, stream } = displayOn(true);
    const progress = display.task('db');
    progress.phase('copying', estimate);
    progress.advance({ bytes: 25 * 1024 * 1024 });
    vi.advanceTimersByTime(1800);
    expect(estimate).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2200);
    await estimate.mock.results[0]!.value;
    vi.advanceTimersByTime(1000);
    expect(estimate).toHaveBeenCalledTimes(1);
    expect(stream.text).toContain('db: copying  25 MiB  ');
    expect(stream.text).toContain('db: copying  25%  25 MiB of 100 MiB');
    display.stop();
  });

  it('says nothing of a total that cannot be found out, and asks for none where nothing is shown', async () => {
    const estimate = vi.fn(async () => Promise.reject(new Error('no')));
    const { display, stream } = displayOn(true);
    display.task('db').phase('copying', estimate);
    vi.advanceTimersByTime(4000);
    await settled(estimate.mock.results[0]!.value);
    vi.advanceTimersByTime(1000);
    expect(stream.text).toContain('db: copying  4 s so far');
    display.stop();
    const hidden = displayOn(true, false).display;
    hidden.task('db').phase('copying', estimate);
    vi.advanceTimersByTime(4000);
    hidden.stop();
    expect(estimate).toHaveBeenCalledTimes(1);
  });

  it('leaves nothing of what was drawn where a person interrupts, and cuts no line in silence', () => {
    const { display, stream } = displayOn(true);
    display.panel(() => ['one', 'x'.repeat(300)]);
    vi.advanceTimersByTime(200);
    expect(stream.text).toBe(`one\n${'x'.repeat(198)}…\n`);
    stream.text = '';
    display.printTyped('it ends');
    expect(stream.text.startsWith('\r\u001b[2A\u001b[0Jit ends\none\n')).toBe(true);
    display.stop();
    stream.text = '';
    display.printTyped('it ends');
    expect(stream.text).toBe('\nit ends\n');
  });

  it('prints a plain line now and then where there is no terminal', () => {
    const { display, stream } = displayOn(false);
    const progress = display.task('db');
    progress.phase('copying');
    progress.advance({ items: 3 });
    vi.advanceTimersByTime(25_000);
    display.stop();
    const lines = stream.text.split('\n').filter((line) => line !== '');
    expect(lines).toEqual(['db: copying  3  2 s so far', 'db: copying  3  12 s so far', 'db: copying  3  22 s so far']);
    expect(stream.text).not.toContain('\u001b');
  });

  it('says nothing when it is turned off, except what a person should know', () => {
    const { display, stream } = displayOn(true, false);
    const progress = display.task('db');
    progress.phase('copying', { bytes: 100 });
    vi.advanceTimersByTime(60_000);
    expect(stream.text).toBe('');
    progress.note('something odd');
    display.stop();
    expect(stream.text).toBe('db: something odd\n');
  });

  it('does not believe a guess of the size that was exceeded', () => {
    const { display, stream } = displayOn(false);
    const progress = display.task('db');
    progress.phase('copying', { bytes: 10 });
    progress.advance({ bytes: 20 });
    vi.advanceTimersByTime(2200);
    display.stop();
    expect(stream.text).not.toContain('%');
    expect(stream.text).not.toContain('left');
  });
});
