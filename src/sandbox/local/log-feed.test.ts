import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testDirectory } from '../../../test/support/repository.ts';
import type { LogFiles } from '../sandbox.ts';
import { LogFeed } from './log-feed.ts';

const segment = (number: number) => `0000000100000000${number.toString(16).toUpperCase().padStart(8, '0')}`;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Segments 1 to 20, whose content is their name. */
class Segments implements LogFiles {
  readonly asked: string[] = [];
  outage: Error | undefined;
  /** Reading waits for it. */
  gate: Promise<void> = Promise.resolve();

  async read(name: string): Promise<Uint8Array | undefined> {
    this.asked.push(name);
    await this.gate;
    if (this.outage !== undefined) throw this.outage;
    const number = Number.parseInt(name.slice(16), 16);
    return name.length === 24 && number >= 1 && number <= 20 ? Buffer.from(name) : undefined;
  }

  following(name: string): string | undefined {
    return name.length === 24 ? segment(Number.parseInt(name.slice(16), 16) + 1) : undefined;
  }
}

describe('a log that is fed to a recovering server', () => {
  let directory: string;
  let files: Segments;
  let feed: LogFeed;
  let failures: unknown[];
  let target: string;

  beforeEach(async () => {
    // A name that a shell and the server would both read otherwise.
    directory = join(testDirectory(), "it's 100 %f");
    mkdirSync(directory);
    files = new Segments();
    failures = [];
    target = join(directory, 'RECOVERYXLOG');
    feed = await LogFeed.start(directory, files, undefined, (error) => failures.push(error));
  });
  afterEach(() => feed.stop());

  /** What is there that nobody has asked for yet. */
  const ready = (): string[] => readdirSync(join(directory, 'log-feed', 'ready')).sort();

  /** Runs the command as the server does. */
  function fetch(name: string): Promise<number | null> {
    const command = feed.command.replace(/%(.)/g, (_, letter) => ({ f: name, p: target })[letter as 'f'] ?? letter);
    const child = spawn('/bin/sh', ['-c', command], { stdio: 'inherit' });
    return new Promise((resolve) => child.on('close', resolve));
  }

  it('comes file by file, each whole, and some before they are asked for', async () => {
    for (let number = 1; number <= 20; number++) {
      expect(await fetch(segment(number))).toBe(0);
      expect(readFileSync(target, 'utf8')).toBe(segment(number));
    }
    expect(new Set(files.asked).size).toBe(files.asked.length);
    await expect.poll(ready).toEqual([]);
  });

  it('lies ready for a few files ahead, and not for more', async () => {
    expect(await fetch(segment(1))).toBe(0);
    const few = [2, 3, 4, 5, 6, 7].map(segment);
    await expect.poll(ready).toEqual(few);
    // As long as it would take one more.
    await pause(100);
    expect(ready()).toEqual(few);
  });

  it('ends with 1 only where there is certainly no such file', async () => {
    expect(await fetch(segment(21))).toBe(1);
    expect(await fetch('00000002.history')).toBe(1);
  });

  it('may be asked anew for a file that was taken', async () => {
    expect(await fetch(segment(3))).toBe(0);
    expect(await fetch(segment(3))).toBe(0);
    expect(readFileSync(target, 'utf8')).toBe(segment(3));
  });

  it('is waited for while a file is on its way', async () => {
    const gate = Promise.withResolvers<void>();
    files.gate = gate.promise;
    let ended: number | null | undefined;
    const fetching = fetch(segment(1)).then((status) => {
      ended = status;
    });
    await pause(300);
    expect(ended).toBeUndefined();
    gate.resolve();
    await fetching;
    expect(ended).toBe(0);
  });

  it('is no end of the log when it cannot be read, or when nobody feeds it any more', async () => {
    files.outage = new Error('the disk is gone');
    const fetching = fetch(segment(1));
    await expect.poll(() => failures).toEqual([files.outage]);
    await feed.stop();
    expect(await fetching).toBe(255);
    expect(await fetch(segment(2))).toBe(255);
    expect(existsSync(target)).toBe(false);
  });
});
