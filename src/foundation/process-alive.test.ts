import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { isProcessAlive } from './process-alive.ts';

const begun: ReturnType<typeof spawn>[] = [];

afterEach(() => {
  for (const child of begun.splice(0)) child.kill('SIGKILL');
});

/** Begins a shell, and says which process it named. */
function named(script: string): Promise<number> {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  begun.push(child);
  return new Promise((resolve) => child.stdout!.once('data', (text: Buffer) => resolve(Number(text))));
}

it('is alive as long as it runs, whoever’s it is', async () => {
  expect(isProcessAlive(process.pid)).toBe(true);
  expect(isProcessAlive(1)).toBe(true);
  expect(isProcessAlive(await named('echo $$; exec sleep 60'))).toBe(true);
});

it('is not where there is none of its number', async () => {
  const child = spawn('true', { stdio: 'ignore' });
  await new Promise((resolve) => child.once('close', resolve));
  expect(isProcessAlive(child.pid!)).toBe(false);
});

it.runIf(existsSync('/proc/self/stat'))('is not once it has ended, though nobody has asked how', async () => {
  // The shell becomes a program that never asks about what the shell began.
  const pid = await named('sleep 0 & echo $!; exec sleep 60');
  await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/stat`, 'latin1')).toMatch(/\) Z /), 5000);
  expect(isProcessAlive(pid)).toBe(false);
});
